/* int8 sum or difference on cores with DSP instructions, as one linear function: 6 instructions an element, 7.25 where results are limited
   to less than int8.

   A result is floor((a * a_factor / 2^8 + b * b_factor / 2^8 + offset) / 2^20), limited. With a in the upper half of an int16 lane that
   is one SMLAW for each operand and one SSAT. TensorFlow Lite Micro rounds three times on its way to the result; factors and offset
   are such that all 65,536 pairs of operands end as the same byte (ops/linear_sum.py). Where there are none lichen_add_s8_dsp.h serves.

   Operands may be broadcast. Elements in order, four of both operands read before their results are written. */
#ifndef LICHEN_ADD_LINEAR_S8_DSP_H
#define LICHEN_ADD_LINEAR_S8_DSP_H

#include "lichen_four_dsp.h"
#include "lichen_walk.h"

typedef struct {
    int32_t rows, inner; /* runs of `inner` elements */
    int16_t dimensions, a_step, b_step; /* steps are 1, or 0 for an operand that stays the same in a run */
    int16_t low, high;
    int32_t a_factor, b_factor, offset;
} lichen_add_linear_s8_dsp_params;

typedef struct {
    int32_t a, b, offset;
    lichen_range_dsp range;
} lichen_add_linear_s8_factors_dsp;

/* The result, 20 bits up, of the elements in the upper halves of the low lanes of a and b. */
LICHEN_INLINE int32_t lichen_add_linear_s8_low_dsp(const lichen_add_linear_s8_factors_dsp *f, uint32_t a, uint32_t b)
{
    return lichen_smlawb(f->b, b, lichen_smlawb(f->a, a, f->offset));
}

/* Of those in the high lanes. */
LICHEN_INLINE int32_t lichen_add_linear_s8_high_dsp(const lichen_add_linear_s8_factors_dsp *f, uint32_t a, uint32_t b)
{
    return lichen_smlawt(f->b, b, lichen_smlawt(f->a, a, f->offset));
}

LICHEN_INLINE void lichen_add_linear_s8_elements_dsp(const lichen_add_linear_s8_factors_dsp *factors, const int8_t *a, const int8_t *b, int8_t *out,
    int n, int limited)
{
    const lichen_add_linear_s8_factors_dsp f = *factors; /* out might alias factors */
    const uint32_t upper = 0xff00ff00u;
    const int8_t *const end = out + n, *const words_end = out + (n & ~3);
    for (; out != words_end; a += 4, b += 4, out += 4) {
        const uint32_t x = lichen_load_word(a), y = lichen_load_word(b);
        const uint32_t a_even = lichen_upper_even(x, upper), b_even = lichen_upper_even(y, upper);
        const uint32_t a_odd = x & upper, b_odd = y & upper;
        const int32_t y0 = lichen_ssat8_20(lichen_add_linear_s8_low_dsp(&f, a_even, b_even));
        const int32_t y1 = lichen_ssat8_20(lichen_add_linear_s8_low_dsp(&f, a_odd, b_odd));
        const int32_t y2 = lichen_ssat8_20(lichen_add_linear_s8_high_dsp(&f, a_even, b_even));
        const int32_t y3 = lichen_ssat8_20(lichen_add_linear_s8_high_dsp(&f, a_odd, b_odd));
        const uint32_t four = lichen_four_dsp(y0, y1, y2, y3);
        lichen_store_word(out, limited ? lichen_limit_four_dsp(four, f.range) : four);
    }
    for (; out != end; a++, b++, out++) {
        const uint32_t x = (uint32_t)(uint8_t)*a << 8, y = (uint32_t)(uint8_t)*b << 8;
        const uint32_t one = (uint32_t)lichen_ssat8_20(lichen_add_linear_s8_low_dsp(&f, x, y));
        *out = (int8_t)(uint8_t)(limited ? lichen_limit_four_dsp(one, f.range) : one);
    }
}

/* n sums of neighbours; the loops of all layers. */
LICHEN_LOOP void lichen_add_linear_s8_run_dsp(const lichen_add_linear_s8_factors_dsp *f, const int8_t *a, const int8_t *b, int8_t *out, int n)
{
    lichen_add_linear_s8_elements_dsp(f, a, b, out, n, 0);
}

LICHEN_LOOP void lichen_add_linear_s8_limited_run_dsp(const lichen_add_linear_s8_factors_dsp *f, const int8_t *a, const int8_t *b, int8_t *out, int n)
{
    lichen_add_linear_s8_elements_dsp(f, a, b, out, n, 1);
}

LICHEN_KERNEL void lichen_add_linear_s8_dsp(const lichen_add_linear_s8_dsp_params *p, const int8_t *a_data, const int8_t *b_data, int8_t *out,
    const int32_t *geometry)
{
    const int inner = (int)p->inner;
    lichen_walk at;
    lichen_walk_start(&at, p->dimensions);
    for (int row = 0; row < (int)p->rows; row++, out += inner) {
        const int8_t *a = a_data + at.a, *b = b_data + at.b;
        lichen_add_linear_s8_factors_dsp f;
        f.a = p->a_factor;
        f.b = p->b_factor;
        f.offset = p->offset;
        f.range = lichen_range_of_dsp(p->low, p->high);
        if (p->a_step == 0) { /* part of the offset; what is multiplied by zero can be any address */
            f.offset = lichen_smlawb(f.a, (uint32_t)(uint8_t)*a << 8, f.offset);
            f.a = 0;
            a = b;
        } else if (p->b_step == 0) {
            f.offset = lichen_smlawb(f.b, (uint32_t)(uint8_t)*b << 8, f.offset);
            f.b = 0;
            b = a;
        }
        if (LICHEN_SHORT || p->low > -128 || p->high < 127) {
            lichen_add_linear_s8_limited_run_dsp(&f, a, b, out, inner);
        } else {
            lichen_add_linear_s8_run_dsp(&f, a, b, out, inner);
        }
        lichen_walk_next(&at, geometry, p->dimensions);
    }
}

#endif
