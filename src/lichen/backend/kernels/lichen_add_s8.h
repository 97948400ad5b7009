/* int8 sum or difference of two operands, which may be broadcast or stand in flash. The operand of the larger scale ("wide")
   needs no multiplication: its multiplier is exactly one half.
   Elements in order, both operands read before the result is written. */
#ifndef LICHEN_ADD_S8_H
#define LICHEN_ADD_S8_H

#include "lichen_small_product.h"
#include "lichen_walk.h"

typedef struct {
    int32_t rows, inner; /* runs of `inner` elements */
    int16_t dimensions, wide_step, narrow_step, wide_in_flash, narrow_in_flash;
    int16_t low, high;
    int16_t wide_sign, narrow_sign; /* 1 or -1 */
    int16_t narrow_shift, out_shift; /* to the right, at least 1 */
    int16_t out_zero; /* unless it is part of out_round */
    int32_t wide_offset, narrow_offset; /* zero points, scaled as the operands are */
    int32_t narrow_mantissa, out_mantissa;
    int32_t out_round; /* rounds the shift to the right; with the zero point where that fits */
} lichen_add_s8_params;

/* The narrow operand at twice the larger scale, 20 bits up. */
LICHEN_INLINE int32_t lichen_add_s8_narrow(const lichen_add_s8_params *p, int narrow)
{
    const int32_t twice = narrow * ((int32_t)1 << 21) + p->narrow_offset;
    return lichen_round_shift(lichen_high_mul_twice(twice, p->narrow_mantissa), p->narrow_shift);
}

/* Twice the wide operand there. */
LICHEN_INLINE int32_t lichen_add_s8_wide(const lichen_add_s8_params *p, int wide)
{
    return wide * ((int32_t)1 << 20) + p->wide_offset;
}

LICHEN_INLINE int8_t lichen_add_s8_result(const lichen_add_s8_params *p, int32_t twice_sum)
{
    const int32_t sum = lichen_high_mul_twice(twice_sum, p->out_mantissa);
    return lichen_limit_s8(((sum + (sum >> 31) + p->out_round) >> p->out_shift) + p->out_zero, p->low, p->high);
}

/* Params are folded only where their kernel is inlined; where it must be, its loop must be. */
#if defined(__AVR__)
#define LICHEN_ADD_S8_LOOP LICHEN_INLINE
#else
#define LICHEN_ADD_S8_LOOP LICHEN_HOT
#endif

/* The usual case: n sums of neighbours in RAM. */
LICHEN_ADD_S8_LOOP void lichen_add_s8_run(const lichen_add_s8_params *p, const int8_t *wide, const int8_t *narrow, int8_t *out,
    int n)
{
    const lichen_add_s8_params local = *p; /* out might alias p */
    for (int i = 0; i < n; i++) {
        const int32_t twice = lichen_add_s8_narrow(&local, narrow[i]) * 2;
        out[i] = lichen_add_s8_result(&local, lichen_add_s8_wide(&local, wide[i]) + twice);
    }
}

LICHEN_KERNEL void lichen_add_s8(const lichen_add_s8_params *p, const int8_t *wide, const int8_t *narrow, int8_t *out,
    const int32_t *geometry)
{
    const int rows = (int)p->rows;
    const int inner = (int)p->inner;
    const int plain = p->wide_step == 1 && p->narrow_step == 1 && !p->wide_in_flash && !p->narrow_in_flash && p->wide_sign > 0 &&
        p->narrow_sign > 0;
    lichen_walk at;
    lichen_walk_start(&at, p->dimensions);
    for (int row = 0; row < rows; row++, out += inner) {
        const int8_t *a = wide + at.a;
        const int8_t *b = narrow + at.b;
        if (plain) {
            lichen_add_s8_run(p, a, b, out, inner);
        } else {
            for (int i = 0; i < inner; i++) {
                const int32_t x = lichen_add_s8_wide(p, p->wide_in_flash ? lichen_flash_s8(a) : *a);
                const int32_t y = lichen_add_s8_narrow(p, p->narrow_in_flash ? lichen_flash_s8(b) : *b) * 2;
                out[i] = lichen_add_s8_result(p, x * p->wide_sign + y * p->narrow_sign);
                a += p->wide_step;
                b += p->narrow_step;
            }
        }
        lichen_walk_next(&at, geometry, p->dimensions);
    }
}

#endif
