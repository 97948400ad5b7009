/* int8 product on cores with DSP instructions: 8 instructions an element, 9.25 where results are limited to less than int8.

   SXTAB16 takes the zero point off two elements at once, SMULBB and SMULTT multiply, and the product is requantised as in
   lichen_requantise_dsp.h, by a ratio below one half.

   Operands may be broadcast. Elements in order, four of both operands read before their results are written. */
#ifndef LICHEN_MUL_S8_DSP_H
#define LICHEN_MUL_S8_DSP_H

#include "lichen_four_dsp.h"
#include "lichen_requantise_dsp.h"
#include "lichen_walk.h"

typedef struct {
    int32_t rows, inner; /* runs of `inner` elements */
    int16_t dimensions, a_step, b_step; /* steps are 1, or 0 for an operand that stays the same in a run */
    int16_t a_zero, b_zero, out_zero, low, high;
    int32_t doubled, shift; /* as in lichen_scale_dsp */
} lichen_mul_s8_dsp_params;

LICHEN_INLINE int32_t lichen_mul_s8_element_dsp(const lichen_mul_s8_dsp_params *p, int32_t product)
{
    lichen_scale_dsp scale;
    scale.doubled = p->doubled;
    scale.shift = p->shift;
    return lichen_ssat8(lichen_requantise_dsp(scale, product, p->out_zero, LICHEN_BELOW_HALF));
}

LICHEN_INLINE void lichen_mul_s8_elements_dsp(const lichen_mul_s8_dsp_params *p, const int8_t *a, const int8_t *b, int8_t *out, int limited)
{
    const lichen_mul_s8_dsp_params local = *p; /* out might alias p */
    const lichen_range_dsp range = lichen_range_of_dsp(local.low, local.high);
    const uint32_t a_zeros = lichen_lanes(-local.a_zero, -local.a_zero), b_zeros = lichen_lanes(-local.b_zero, -local.b_zero);
    const int n = (int)local.inner;
    const int8_t *const end = out + n, *const words_end = out + (n & ~3);
    for (; out != words_end; a += 4 * local.a_step, b += 4 * local.b_step, out += 4) {
        const uint32_t x = lichen_load_word(a), y = lichen_load_word(b);
        const uint32_t x_even = lichen_sxtab16(a_zeros, x), x_odd = lichen_sxtab16_odd(a_zeros, x);
        const uint32_t y_even = lichen_sxtab16(b_zeros, y), y_odd = lichen_sxtab16_odd(b_zeros, y);
        const int32_t y0 = lichen_mul_s8_element_dsp(&local, lichen_smulbb(x_even, y_even));
        const int32_t y1 = lichen_mul_s8_element_dsp(&local, lichen_smulbb(x_odd, y_odd));
        const int32_t y2 = lichen_mul_s8_element_dsp(&local, lichen_smultt(x_even, y_even));
        const int32_t y3 = lichen_mul_s8_element_dsp(&local, lichen_smultt(x_odd, y_odd));
        const uint32_t four = lichen_four_dsp(y0, y1, y2, y3);
        lichen_store_word(out, limited ? lichen_limit_four_dsp(four, range) : four);
    }
    for (; out != end; a += local.a_step, b += local.b_step, out++) {
        const uint32_t one = (uint32_t)lichen_mul_s8_element_dsp(&local, (*a - local.a_zero) * (*b - local.b_zero));
        *out = (int8_t)(uint8_t)(limited ? lichen_limit_four_dsp(one, range) : one);
    }
}

/* One run; the loops of all layers. */
LICHEN_LOOP void lichen_mul_s8_run_dsp(const lichen_mul_s8_dsp_params *p, const int8_t *a, const int8_t *b, int8_t *out)
{
    lichen_mul_s8_elements_dsp(p, a, b, out, 0);
}

LICHEN_LOOP void lichen_mul_s8_limited_run_dsp(const lichen_mul_s8_dsp_params *p, const int8_t *a, const int8_t *b, int8_t *out)
{
    lichen_mul_s8_elements_dsp(p, a, b, out, 1);
}

LICHEN_KERNEL void lichen_mul_s8_dsp(const lichen_mul_s8_dsp_params *p, const int8_t *a_data, const int8_t *b_data, int8_t *out,
    const int32_t *geometry)
{
    lichen_walk at;
    lichen_walk_start(&at, p->dimensions);
    for (int row = 0; row < (int)p->rows; row++, out += (int)p->inner) {
        uint32_t four_a, four_b;
        const int8_t *a = lichen_run_operand_dsp(a_data + at.a, p->a_step, &four_a);
        const int8_t *b = lichen_run_operand_dsp(b_data + at.b, p->b_step, &four_b);
        if (p->low > -128 || p->high < 127) {
            lichen_mul_s8_limited_run_dsp(p, a, b, out);
        } else {
            lichen_mul_s8_run_dsp(p, a, b, out);
        }
        lichen_walk_next(&at, geometry, p->dimensions);
    }
}

#endif
