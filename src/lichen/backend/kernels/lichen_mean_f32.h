/* float32 mean over two of five dimensions: in (keep_0, reduce_0, keep_1, reduce_1, keep_2) -> out (keep_0, keep_1, keep_2).
   Sums in memory order, then divides by `count`. */
#ifndef LICHEN_MEAN_F32_H
#define LICHEN_MEAN_F32_H

#include "lichen_common.h"

typedef struct {
    int16_t keep_0, reduce_0, keep_1, reduce_1, keep_2;
    float count;
} lichen_mean_f32_params;

LICHEN_KERNEL void lichen_mean_f32(const lichen_mean_f32_params *p, const float *in, float *out)
{
    const int inner = p->reduce_1 * p->keep_2, step = p->keep_1 * inner;
    for (int a = 0; a < p->keep_0; a++, in += p->reduce_0 * step) {
        for (int b = 0; b < p->keep_1; b++) {
            for (int c = 0; c < p->keep_2; c++) {
                const float *run = in + b * inner + c;
                float sum = 0.0f;
                for (int i = 0; i < p->reduce_0; i++, run += step) {
                    for (int j = 0; j < inner; j += p->keep_2) {
                        sum += run[j];
                    }
                }
                *out++ = sum / p->count;
            }
        }
    }
}

#endif
