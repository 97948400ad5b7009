/* Fixed-point arithmetic of the LiteRT 8-bit specification, rounding twice as TensorFlow Lite Micro does. Twin: ops/fixed_point.py. */
#ifndef LICHEN_FIXED_POINT_H
#define LICHEN_FIXED_POINT_H

#include "lichen_common.h"

/* round(a * b / 2^31), halves upwards, which is what gemmlowp's nudge and truncating division come to. b is a mantissa below 2^31 and
   not negative, so the product never saturates. This is the form for cores that multiply 32 bits to 64. */
LICHEN_INLINE int32_t lichen_high_mul_wide(int32_t a, int32_t b)
{
    const int64_t product = (int64_t)a * b;
    return (int32_t)((product + ((int32_t)1 << 30)) >> 31);
}

/* The same from products of 16-bit halves, for cores that have nothing wider. The lowest 16 bits of the product cannot matter. */
LICHEN_INLINE int32_t lichen_high_mul_halves(int32_t a, int32_t b)
{
    const int16_t a_high = (int16_t)(a >> 16);
    const uint16_t a_low = (uint16_t)a, b_high = (uint16_t)(b >> 16), b_low = (uint16_t)b;
    const int32_t inner = (int32_t)a_high * b_low;
    const uint32_t outer = (uint32_t)a_low * b_high;
    const uint32_t low = (((uint32_t)a_low * b_low) >> 16) + (uint16_t)inner + (uint16_t)outer;
    const int32_t high = (int32_t)a_high * b_high + (inner >> 16) + (int32_t)(outer >> 16) + (int32_t)(low >> 16);
    const uint32_t quarters = (low >> 14) & 3u; /* of 2^32, in the lower word of the product */
    return (int32_t)(((uint32_t)high << 1) + ((quarters + 1u) >> 1));
}

LICHEN_INLINE int32_t lichen_high_mul(int32_t a, int32_t b)
{
#if defined(__AVR__) || defined(__ARM_ARCH_6M__)
    return lichen_high_mul_halves(a, b);
#else
    return lichen_high_mul_wide(a, b);
#endif
}

/* round(x / 2^exponent), halves away from zero; 0 <= exponent <= 31. */
LICHEN_INLINE int32_t lichen_divide_by_pot(int32_t x, int exponent)
{
    const int32_t mask = (int32_t)(((uint32_t)1 << exponent) - 1u);
    const int32_t remainder = x & mask;
    const int32_t threshold = (mask >> 1) + (x < 0 ? 1 : 0);
    return (x >> exponent) + (remainder > threshold ? 1 : 0);
}

/* MultiplyByQuantizedMultiplier: x * mantissa * 2^(shift - 31). */
LICHEN_INLINE int32_t lichen_requantise(int32_t x, int32_t mantissa, int shift)
{
    if (shift >= 0) {
        return lichen_high_mul((int32_t)((uint32_t)x << shift), mantissa);
    }
    /* lichen_divide_by_pot(y, -shift) for y above INT32_MIN, which a product with a mantissa always is. */
    const int32_t y = lichen_high_mul(x, mantissa);
    return (((y + (y >> 31)) >> (-1 - shift)) + 1) >> 1;
}

/* From an accumulator to the int8 that leaves the operator. */
LICHEN_HELPER int8_t lichen_requantise_s8(int32_t acc, int32_t mantissa, int shift, int zero, int low, int high)
{
    return lichen_clamp_s8(lichen_requantise(acc, mantissa, shift) + zero, low, high);
}

#endif
