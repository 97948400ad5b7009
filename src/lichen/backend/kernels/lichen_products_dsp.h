/* What the products of widened patches with weights have in common: how weights lie, and what a sum becomes.

   Weights come for two output channels A and B at a time, as int16 lanes 256 * B + A. SXTB16 makes A of them, and the lanes as they are do
   for both: sum(x * A) and sum(x * (256 * B + A)) differ by 256 times sum(x * B). This spares the widening of B. It takes sums over B below
   2^23: those of any weights over 512 elements, or a sum of magnitudes below 2^16, which is known at compile time. */
#ifndef LICHEN_PRODUCTS_DSP_H
#define LICHEN_PRODUCTS_DSP_H

#include "lichen_requantise_dsp.h"

typedef struct {
    const int32_t *weights; /* for each pair of channels: bias A, words, scale A, bias B, scale B */
    int words, part;        /* words of a patch, an even number, and of how many of them both sums may differ by less than 2^31 */
    int channels;
    int zero, low, high;
    int finish; /* what is known of all ratios of scales, if the clamp is that of int8; else LICHEN_ANY_RATIO */
} lichen_products_dsp;

/* The sum for channel B without its bias. */
LICHEN_INLINE int32_t lichen_second_sum_dsp(int32_t a, int32_t both)
{
    return (int32_t)((uint32_t)both - (uint32_t)a) >> 8;
}

/* The scale that lies there. */
LICHEN_INLINE lichen_scale_dsp lichen_scale_behind_dsp(const int32_t *weights)
{
    lichen_scale_dsp scale;
    scale.doubled = weights[0];
    scale.shift = weights[1];
    return scale;
}

/* From a sum to an int8, for any ratio and clamp. */
LICHEN_LOOP int32_t lichen_finish_any_dsp(const lichen_products_dsp *p, const int32_t *scale, int32_t sum)
{
    return lichen_clamp_s8(lichen_requantise_dsp(lichen_scale_behind_dsp(scale), sum, p->zero, LICHEN_ANY_RATIO), p->low, p->high);
}

LICHEN_INLINE int8_t lichen_finish1_dsp(const lichen_products_dsp *p, const int32_t *scale, int32_t sum)
{
    if (LICHEN_IS_ANY_RATIO(p->finish)) {
        return (int8_t)lichen_finish_any_dsp(p, scale, sum);
    }
    return (int8_t)lichen_ssat8(lichen_requantise_dsp(lichen_scale_behind_dsp(scale), sum, p->zero, LICHEN_BELOW_HALF));
}

#endif
