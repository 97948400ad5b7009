/* int8 mean over two of five dimensions: in (keep_0, reduce_0, keep_1, reduce_1, keep_2) -> out (keep_0, keep_1, keep_2).
   offset: minus the input's zero point times the number of elements of one mean. */
#ifndef LICHEN_MEAN_S8_H
#define LICHEN_MEAN_S8_H

#include "lichen_fixed_point.h"

typedef struct {
    int16_t keep_0, reduce_0, keep_1, reduce_1, keep_2;
    int16_t shift, out_zero;
    int32_t multiplier, offset;
} lichen_mean_s8_params;

LICHEN_KERNEL void lichen_mean_s8(const lichen_mean_s8_params *p, const int8_t *in, int8_t *out)
{
    const int inner = p->reduce_1 * p->keep_2, step = p->keep_1 * inner;
    for (int a = 0; a < p->keep_0; a++, in += p->reduce_0 * step) {
        for (int b = 0; b < p->keep_1; b++) {
            for (int c = 0; c < p->keep_2; c++) {
                const int8_t *run = in + b * inner + c;
                int32_t sum = p->offset;
                for (int i = 0; i < p->reduce_0; i++, run += step) {
                    for (int j = 0; j < inner; j += p->keep_2) {
                        sum += run[j];
                    }
                }
                *out++ = lichen_requantise_s8(sum, p->multiplier, p->shift, p->out_zero, -128, 127);
            }
        }
    }
}

#endif
