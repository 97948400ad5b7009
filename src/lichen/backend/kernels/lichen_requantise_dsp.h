/* Requantisation on cores with DSP instructions: the bytes of lichen_fixed_point.h in four instructions an output where everything below
   zero is clamped to zero, in five elsewhere.

   With a mantissa m in [2^30, 2^31) the high multiplication round(a * m / 2^31) is a + round(a * (2m - 2^32) / 2^32): one SMMLAR of a, 2m
   modulo 2^32, and a once more. The rounding shift by e >= 1 is a product with 2^(32 - e), which SMMLSR subtracts from the zero point as
   -2^(32 - e), because that fits a register for e = 1 too. It rounds halves upwards and TensorFlow Lite Micro away from zero, so a
   negative number gets one less first, unless it ends as zero anyway.

   Ratios of 1/2 and more (e < 1), and 0, have no such form and are computed in the general way. ops/requantise_dsp.py makes the scales. */
#ifndef LICHEN_REQUANTISE_DSP_H
#define LICHEN_REQUANTISE_DSP_H

#include "lichen_dsp.h"
#include "lichen_fixed_point.h"

/* What is known of all channels of an operator. */
enum {
    LICHEN_ANY_RATIO,     /* nothing */
    LICHEN_BELOW_HALF,    /* 0 < ratio < 1/2 */
    LICHEN_CLAMPED_AT_ZERO /* the same, and no output is below the zero point */
};

/* Whether a layer is of any ratio: never where the model says of none that it is. */
#if defined(LICHEN_NEEDS_ANY_RATIO)
#define LICHEN_IS_ANY_RATIO(ratios) ((ratios) == LICHEN_ANY_RATIO)
#else
#define LICHEN_IS_ANY_RATIO(ratios) ((void)(ratios), 0)
#endif

typedef struct {
    int32_t doubled; /* 2m modulo 2^32 */
    int32_t shift;   /* e - 1, or -2^(32 - e) where e >= 1 for all channels */
} lichen_scale_dsp;

/* zero + acc * ratio. */
LICHEN_INLINE int32_t lichen_requantise_dsp(lichen_scale_dsp scale, int32_t acc, int zero, int ratios)
{
    int32_t x;
    if (ratios == LICHEN_ANY_RATIO) {
        return zero + lichen_requantise(acc, (int32_t)((uint32_t)scale.doubled >> 1), -1 - (int)scale.shift);
    }
    x = lichen_smmlar(acc, scale.doubled, acc);
    if (ratios == LICHEN_BELOW_HALF) {
        x += x >> 31;
    }
    return lichen_smmlsr(x, scale.shift, zero);
}

/* From there to the int8 that leaves the operator. */
LICHEN_INLINE int8_t lichen_narrow_dsp(int32_t x, int low, int high)
{
    x = lichen_ssat8(x);
    x = low > -128 && x < low ? low : x;
    return (int8_t)(high < 127 && x > high ? high : x);
}

#endif
