/* int8 softmax over rows of `depth` values. exponentials: exp(-k * scale * beta) in Q0.31 for k < entries, zero beyond.
   Each row is read for its maximum, then for the sum, then mapped element by element in order. */
#ifndef LICHEN_SOFTMAX_S8_H
#define LICHEN_SOFTMAX_S8_H

#include "lichen_fixed_point.h"

typedef struct {
    int32_t rows, depth;
    int16_t entries;
} lichen_softmax_s8_params;

/* x * 2^2, saturating. */
LICHEN_INLINE int32_t lichen_softmax_s8_times_four(int32_t x)
{
    return x > INT32_MAX / 4 ? INT32_MAX : x < INT32_MIN / 4 ? INT32_MIN : x * 4;
}

/* 1 / (1 + x) in Q0.31 of 0 <= x < 1 in Q0.31, by three Newton-Raphson steps in Q2.29. Twin: ops/gemmlowp.py. */
LICHEN_INLINE int32_t lichen_softmax_s8_reciprocal(int32_t x)
{
    const int32_t half_denominator = (int32_t)(((uint32_t)x + (uint32_t)1 + INT32_MAX) >> 1);
    int32_t y = 1515870810 + lichen_high_mul(-1010580540, half_denominator);
    for (int i = 0; i < 3; i++) {
        const int32_t error = ((int32_t)1 << 29) - lichen_high_mul(half_denominator, y);
        y += lichen_softmax_s8_times_four(lichen_high_mul(error, y));
    }
    return y > INT32_MAX / 2 ? INT32_MAX : y * 2;
}

LICHEN_KERNEL void lichen_softmax_s8(const lichen_softmax_s8_params *p, const int8_t *in, int8_t *out,
    const int32_t *exponentials)
{
    const int rows = (int)p->rows;
    const int depth = (int)p->depth;
    const int entries = p->entries;
    for (int row = 0; row < rows; row++, in += depth, out += depth) {
        int max = in[0];
        for (int i = 1; i < depth; i++) {
            max = in[i] > max ? in[i] : max;
        }
        uint32_t sum = 0; /* Q12.19: at least 1, so bit 19 or one above it is set */
        for (int i = 0; i < depth; i++) {
            const int k = max - in[i];
            if (k < entries) {
                sum += (uint32_t)lichen_divide_by_pot(lichen_flash_s32(exponentials + k), 12);
            }
        }
        int leading_zeros = 0;
        while ((sum & ((uint32_t)1 << 31)) == 0) {
            sum <<= 1;
            leading_zeros++;
        }
        const int32_t reciprocal = lichen_softmax_s8_reciprocal((int32_t)(sum - ((uint32_t)1 << 31)));
        const int exponent = 12 - leading_zeros + 23; /* above 31, no probability reaches half a step */
        for (int i = 0; i < depth; i++) {
            const int k = max - in[i];
            int32_t y = -128;
            if (k < entries && exponent <= 31) {
                y += lichen_divide_by_pot(lichen_high_mul(lichen_flash_s32(exponentials + k), reciprocal), exponent);
            }
            out[i] = lichen_clamp_s8(y, -128, 127);
        }
    }
}

#endif
