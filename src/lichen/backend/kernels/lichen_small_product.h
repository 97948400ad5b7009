/* Fixed-point arithmetic for values known to be small, which saves instructions over lichen_fixed_point.h. Same results. */
#ifndef LICHEN_SMALL_PRODUCT_H
#define LICHEN_SMALL_PRODUCT_H

#include "lichen_fixed_point.h"

/* lichen_high_mul(twice_a / 2, b) for an even twice_a: the upper word of the product, rounded by the bit below it. */
LICHEN_INLINE int32_t lichen_high_mul_twice(int32_t twice_a, int32_t b)
{
#if defined(__AVR__) || defined(__ARM_ARCH_6M__)
    return lichen_high_mul(twice_a >> 1, b);
#else
    const int64_t product = (int64_t)twice_a * b;
    return (int32_t)(product >> 32) + (int32_t)((uint32_t)product >> 31);
#endif
}

/* lichen_divide_by_pot(x, exponent) for exponent >= 1 and |x| + 2^(exponent - 1) < 2^31. */
LICHEN_INLINE int32_t lichen_round_shift(int32_t x, int exponent)
{
#if defined(__AVR__)
    return lichen_round_pot(x, exponent);
#else
    return (x + (x >> 31) + ((int32_t)1 << (exponent - 1))) >> exponent;
#endif
}

/* lichen_clamp_s8, without a branch where the limits are known to be those of int8. */
LICHEN_INLINE int8_t lichen_limit_s8(int32_t x, int low, int high)
{
    int32_t y = x;
    if (y != (int8_t)y) {
        y = (y >> 31) ^ 127;
    }
    y = y < low ? low : y;
    return (int8_t)(y > high ? high : y);
}

#endif
