/* int8 sum or difference of two operands, which may be broadcast or stand in flash. The operand of the larger scale ("wide") needs
   no multiplication: its multiplier is exactly one half. Elements in order, both operands read before the result is written. */
#ifndef LICHEN_ADD_S8_H
#define LICHEN_ADD_S8_H

#include "lichen_small_product.h"
#include "lichen_walk.h"

typedef struct {
    int32_t rows, inner; /* runs of `inner` elements */
    int16_t dimensions, wide_step, narrow_step, wide_in_flash, narrow_in_flash;
    int16_t low, high;
    int16_t narrow_sign; /* of twice the scaled operand: 2 or -2 */
    int16_t narrow_shift, out_shift; /* to the right, at least 1 */
    int16_t out_zero; /* unless it is part of out_round */
    int32_t wide_factor, wide_offset; /* twice the scaled operand is x * factor + offset; its zero point is in the offset */
    int32_t narrow_factor, narrow_offset, narrow_mantissa;
    int32_t out_mantissa, out_round; /* rounds the shift to the right; with the zero point where that fits */
} lichen_add_s8_params;

LICHEN_INLINE int8_t lichen_add_s8_element(const lichen_add_s8_params *p, int wide, int narrow)
{
    const int32_t product = lichen_high_mul_twice(narrow * p->narrow_factor + p->narrow_offset, p->narrow_mantissa);
    const int32_t scaled = lichen_round_shift(product, p->narrow_shift);
    const int32_t twice_sum = wide * p->wide_factor + p->wide_offset + scaled * p->narrow_sign;
    const int32_t sum = lichen_high_mul_twice(twice_sum, p->out_mantissa);
    return lichen_limit_s8(((sum + (sum >> 31) + p->out_round) >> p->out_shift) + p->out_zero, p->low, p->high);
}

LICHEN_KERNEL void lichen_add_s8(const lichen_add_s8_params *p, const int8_t *wide, const int8_t *narrow, int8_t *out,
    const int32_t *geometry)
{
    const lichen_add_s8_params local = *p; /* out might alias p */
    const int rows = (int)local.rows;
    const int inner = (int)local.inner;
    lichen_walk at;
    lichen_walk_start(&at, local.dimensions);
    for (int row = 0; row < rows; row++) {
        const int8_t *a = wide + at.a;
        const int8_t *b = narrow + at.b;
        for (int i = 0; i < inner; i++) {
            const int x = local.wide_in_flash ? lichen_flash_s8(a) : *a;
            const int y = local.narrow_in_flash ? lichen_flash_s8(b) : *b;
            *out++ = lichen_add_s8_element(&local, x, y);
            a += local.wide_step;
            b += local.narrow_step;
        }
        lichen_walk_next(&at, geometry, local.dimensions);
    }
}

#endif
