/* int8 product of two operands, which may be broadcast or stand in flash.
   Elements in order, both operands read before the result is written. */
#ifndef LICHEN_MUL_S8_H
#define LICHEN_MUL_S8_H

#include "lichen_small_product.h"
#include "lichen_walk.h"

typedef struct {
    int32_t rows, inner; /* runs of `inner` elements */
    int16_t dimensions, a_step, b_step, a_in_flash, b_in_flash;
    int16_t a_zero, b_zero, out_zero, low, high;
    int16_t shift; /* to the right */
    int32_t factor; /* even; a power of two that takes the place of a shift to the left */
    int32_t mantissa;
} lichen_mul_s8_params;

LICHEN_KERNEL void lichen_mul_s8(const lichen_mul_s8_params *p, const int8_t *a_data, const int8_t *b_data, int8_t *out,
    const int32_t *geometry)
{
    const lichen_mul_s8_params local = *p; /* out might alias p */
    const int rows = (int)local.rows;
    const int inner = (int)local.inner;
    lichen_walk at;
    lichen_walk_start(&at, local.dimensions);
    for (int row = 0; row < rows; row++) {
        const int8_t *a = a_data + at.a;
        const int8_t *b = b_data + at.b;
        for (int i = 0; i < inner; i++) {
            const int32_t x = (local.a_in_flash ? lichen_flash_s8(a) : *a) - local.a_zero;
            const int32_t y = (local.b_in_flash ? lichen_flash_s8(b) : *b) - local.b_zero;
            const int32_t product = lichen_high_mul_twice(x * y * local.factor, local.mantissa);
            const int32_t scaled = local.shift ? lichen_round_shift(product, local.shift) : product;
            *out++ = lichen_limit_s8(scaled + local.out_zero, local.low, local.high);
            a += local.a_step;
            b += local.b_step;
        }
        lichen_walk_next(&at, geometry, local.dimensions);
    }
}

#endif
