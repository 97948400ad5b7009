/* int8 sum on cores with DSP instructions, with all roundings: 13.25 instructions an element, 17.5 where results are limited to less than
   int8.

   The operand of the larger scale ("wide") needs no multiplication, for its multiplier is exactly one half: a shift brings it to where the
   sum is, 19 bits up. The other ("narrow") is brought there by SMMULR, and an SMMLSR whose rounding shift adds it to the wide one;
   the sum is requantised as in lichen_requantise_dsp.h.

   Runs are of neighbours in both operands. Elements in order, both operands read before the result is written. */
#ifndef LICHEN_ADD_S8_DSP_H
#define LICHEN_ADD_S8_DSP_H

#include "lichen_four_dsp.h"
#include "lichen_requantise_dsp.h"
#include "lichen_walk.h"

typedef struct {
    int32_t rows, inner; /* runs of `inner` elements */
    int16_t dimensions, wide_step, narrow_step; /* steps are 1 */
    int16_t low, high, out_zero;
    int32_t wide_offset, narrow_offset; /* zero points, scaled as the operands are */
    int32_t narrow_mantissa, narrow_shift; /* the shift as in lichen_scale_dsp */
    int32_t out_doubled, out_shift; /* as in lichen_scale_dsp */
} lichen_add_s8_dsp_params;

/* The i-th of neighbours. */
LICHEN_INLINE void lichen_add_s8_element_dsp(
    const lichen_add_s8_dsp_params *p, const int8_t *wide, const int8_t *narrow, int8_t *out, int i, lichen_range_dsp range, int limited)
{
    const int32_t x = lichen_smmulr(narrow[i] * ((int32_t)1 << 21) + p->narrow_offset, p->narrow_mantissa); /* of twice the operand */
    const int32_t sum = lichen_smmlsr(x + (x >> 31), p->narrow_shift, wide[i] * ((int32_t)1 << 19) + p->wide_offset);
    lichen_scale_dsp scale;
    scale.doubled = p->out_doubled;
    scale.shift = p->out_shift;
    const uint32_t y = (uint32_t)lichen_ssat8(lichen_requantise_dsp(scale, sum, p->out_zero, LICHEN_BELOW_HALF));
    out[i] = (int8_t)(uint8_t)(limited ? lichen_limit_four_dsp(y, range) : y);
}

LICHEN_INLINE void lichen_add_s8_elements_dsp(const lichen_add_s8_dsp_params *p, const int8_t *wide, const int8_t *narrow, int8_t *out,
    int limited)
{
    lichen_add_s8_dsp_params local = *p; /* out might alias p */
    const lichen_range_dsp range = lichen_range_of_dsp(local.low, local.high);
    const int n = (int)local.inner;
    const int8_t *const end = out + n, *const fours_end = out + (n & ~3);
    local.wide_offset = lichen_in_register(local.wide_offset);
    local.narrow_offset = lichen_in_register(local.narrow_offset);
    for (; out != fours_end; wide += 4, narrow += 4, out += 4) {
        lichen_add_s8_element_dsp(&local, wide, narrow, out, 0, range, limited);
        lichen_add_s8_element_dsp(&local, wide, narrow, out, 1, range, limited);
        lichen_add_s8_element_dsp(&local, wide, narrow, out, 2, range, limited);
        lichen_add_s8_element_dsp(&local, wide, narrow, out, 3, range, limited);
    }
    for (; out != end; wide++, narrow++, out++) {
        lichen_add_s8_element_dsp(&local, wide, narrow, out, 0, range, limited);
    }
}

/* One run; the loops of all layers. */
LICHEN_LOOP void lichen_add_s8_run_dsp(const lichen_add_s8_dsp_params *p, const int8_t *wide, const int8_t *narrow, int8_t *out)
{
    lichen_add_s8_elements_dsp(p, wide, narrow, out, 0);
}

LICHEN_LOOP void lichen_add_s8_limited_run_dsp(const lichen_add_s8_dsp_params *p, const int8_t *wide, const int8_t *narrow, int8_t *out)
{
    lichen_add_s8_elements_dsp(p, wide, narrow, out, 1);
}

LICHEN_KERNEL void lichen_add_s8_dsp(const lichen_add_s8_dsp_params *p, const int8_t *wide, const int8_t *narrow, int8_t *out,
    const int32_t *geometry)
{
    lichen_walk at;
    lichen_walk_start(&at, p->dimensions);
    for (int row = 0; row < (int)p->rows; row++, out += (int)p->inner) {
        if (LICHEN_SHORT || p->low > -128 || p->high < 127) {
            lichen_add_s8_limited_run_dsp(p, wide + at.a, narrow + at.b, out);
        } else {
            lichen_add_s8_run_dsp(p, wide + at.a, narrow + at.b, out);
        }
        lichen_walk_next(&at, geometry, p->dimensions);
    }
}

#endif
