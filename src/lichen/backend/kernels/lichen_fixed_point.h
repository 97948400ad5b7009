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

/* The same from the upper word of the product and the two highest bits of the lower one. */
LICHEN_INLINE int32_t lichen_high_mul_round(uint32_t high, uint8_t quarters)
{
    return (int32_t)((high << 1) + (uint8_t)((uint8_t)(quarters + 1u) >> 1));
}

/* For AVR, whose library multiplies 32 bits to 64 well but shifts them bit by bit: whole bytes only. */
LICHEN_INLINE int32_t lichen_high_mul_bytes(int32_t a, int32_t b)
{
    const uint64_t product = (uint64_t)((int64_t)a * b);
    return lichen_high_mul_round((uint32_t)(product >> 32), (uint8_t)((uint8_t)((uint32_t)product >> 24) >> 6));
}

/* For cores that have no product wider than 32 bits: from unsigned 16-bit halves. The lowest 16 bits cannot matter. */
LICHEN_INLINE int32_t lichen_high_mul_halves(int32_t a, int32_t b)
{
    const uint32_t a_high = (uint32_t)a >> 16, a_low = (uint16_t)a, b_high = (uint32_t)b >> 16, b_low = (uint16_t)b;
    const uint32_t inner = a_high * b_low, outer = a_low * b_high;
    const uint32_t middle = ((a_low * b_low) >> 16) + (uint16_t)inner + (uint16_t)outer;
    const uint32_t high = a_high * b_high + (inner >> 16) + (outer >> 16) + (middle >> 16);
    const uint32_t excess = a < 0 ? (uint32_t)b : 0u; /* in the product of a as an unsigned number */
    return lichen_high_mul_round(high - excess, (uint8_t)((middle >> 14) & 3u));
}

LICHEN_INLINE int32_t lichen_high_mul(int32_t a, int32_t b)
{
#if defined(__AVR__)
    return lichen_high_mul_bytes(a, b);
#elif defined(__ARM_ARCH_6M__)
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
