/* Fixed-point arithmetic of the LiteRT 8-bit specification, rounding twice as TensorFlow Lite Micro does. Twin: ops/fixed_point.py. */
#ifndef LICHEN_FIXED_POINT_H
#define LICHEN_FIXED_POINT_H

#include "lichen_common.h"

/* round(a * b / 2^31), halves upwards, which is what gemmlowp's nudge and truncating division come to. b is a mantissa below 2^31 and
   not negative, so the product never saturates. */
LICHEN_INLINE int32_t lichen_high_mul(int32_t a, int32_t b)
{
    const int64_t product = (int64_t)a * b;
    return (int32_t)((product + ((int32_t)1 << 30)) >> 31);
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
    const int left = shift > 0 ? shift : 0;
    const int right = shift > 0 ? 0 : -shift;
    return lichen_divide_by_pot(lichen_high_mul((int32_t)((uint32_t)x << left), mantissa), right);
}

#endif
