/* int8 mean over two of five dimensions on cores with DSP instructions: in (keep_0, reduce_0, keep_1, reduce_1, keep_2) -> out (keep_0,
   keep_1, keep_2). offset: minus the input's zero point times the number of elements of one mean.

   Four neighbouring means at a time, 1.2 instructions an element: SXTAB16 adds to two int16 sums at once, which hold 256 elements.
   Where neighbours belong to one mean (keep_2 is 1) USADA8 adds four, less 128 each, to its sum: 1 instruction an element. */
#ifndef LICHEN_MEAN_S8_DSP_H
#define LICHEN_MEAN_S8_DSP_H

#include "lichen_dsp.h"
#include "lichen_fixed_point.h"

typedef struct {
    int16_t keep_0, reduce_0, keep_1, reduce_1, keep_2;
    int16_t shift, out_zero;
    int32_t multiplier, offset;
} lichen_mean_s8_dsp_params;

/* sums[k] += n elements that are `step` apart, of which the first is in[k]; 0 <= k < 4. */
LICHEN_LOOP void lichen_sum_columns_dsp(int32_t *sums, const int8_t *in, int n, int step)
{
    while (n > 0) {
        const int some = n < 256 ? n : 256;
        uint32_t even = 0, odd = 0;
        for (int pairs = some >> 1; pairs > 0; pairs--, in += 2 * step) {
            const uint32_t x = lichen_load_word(in), y = lichen_load_word(in + step);
            even = lichen_sxtab16(lichen_sxtab16(even, x), y);
            odd = lichen_sxtab16_odd(lichen_sxtab16_odd(odd, x), y);
        }
        if (some & 1) {
            const uint32_t x = lichen_load_word(in);
            even = lichen_sxtab16(even, x);
            odd = lichen_sxtab16_odd(odd, x);
            in += step;
        }
        sums[0] += lichen_low_lane(even);
        sums[1] += lichen_low_lane(odd);
        sums[2] += lichen_high_lane(even);
        sums[3] += lichen_high_lane(odd);
        n -= some;
    }
}

/* The sum of n elements that are `step` apart. */
LICHEN_LOOP int32_t lichen_sum_column_dsp(const int8_t *in, int n, int step)
{
    int32_t sum = 0;
    for (; n > 0; n--, in += step) {
        sum += *in;
    }
    return sum;
}

/* The sum of n neighbours. */
LICHEN_LOOP int32_t lichen_sum_row_dsp(const int8_t *in, int n)
{
    int32_t sum = -128 * (n & ~3);
    for (int words = n >> 2; words > 0; words--, in += 4) {
        sum = lichen_usada8(lichen_load_word(in) ^ 0x80808080u, sum);
    }
    for (int left = n & 3; left > 0; left--) {
        sum += *in++;
    }
    return sum;
}

LICHEN_KERNEL void lichen_mean_s8_dsp(const lichen_mean_s8_dsp_params *p, const int8_t *in, int8_t *out)
{
    const int inner = p->reduce_1 * p->keep_2, step = p->keep_1 * inner;
    for (int a = 0; a < p->keep_0; a++, in += p->reduce_0 * step) {
        for (int b = 0; b < p->keep_1; b++) {
            for (int c = 0; c < p->keep_2;) {
                const int count = c + 4 <= p->keep_2 ? 4 : 1;
                const int8_t *run = in + b * inner + c;
                int32_t sums[4];
                for (int k = 0; k < count; k++) {
                    sums[k] = p->offset;
                }
                for (int i = 0; i < p->reduce_0; i++, run += step) {
                    if (p->keep_2 == 1) {
                        sums[0] += lichen_sum_row_dsp(run, p->reduce_1);
                    } else if (count == 4) {
                        lichen_sum_columns_dsp(sums, run, p->reduce_1, p->keep_2);
                    } else {
                        sums[0] += lichen_sum_column_dsp(run, p->reduce_1, p->keep_2);
                    }
                }
                for (int k = 0; k < count; k++) {
                    *out++ = lichen_requantise_s8(sums[k], p->multiplier, p->shift, p->out_zero, -128, 127);
                }
                c += count;
            }
        }
    }
}

#endif
