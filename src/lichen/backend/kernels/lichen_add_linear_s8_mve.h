/* int8 sum or difference on cores with Helium, as one linear function: 3.25 instructions an element. The function, and its factors, are those
   of lichen_add_linear_s8_dsp.h: VQDMULH of an operand, 23 bits up, is floor(operand * factor / 2^8).

   Operands may be broadcast. Elements in order, four of both operands read before their results are written. */
#ifndef LICHEN_ADD_LINEAR_S8_MVE_H
#define LICHEN_ADD_LINEAR_S8_MVE_H

#include "lichen_mve.h"
#include "lichen_walk.h"

typedef struct {
    int32_t rows, inner; /* runs of `inner` elements */
    int16_t dimensions, a_step, b_step; /* steps are 1, or 0 for an operand that stays the same in a run */
    int16_t low, high;
    int32_t a_factor, b_factor, offset;
} lichen_add_linear_s8_mve_params;

/* floor(x * factor / 2^8). */
LICHEN_INLINE int32_t lichen_linear_part_mve(int8_t x, int32_t factor)
{
    return (int32_t)(((int64_t)x * factor) >> 8);
}

/* n sums of neighbours. */
LICHEN_LOOP void lichen_add_linear_run_mve(
    const lichen_add_linear_s8_mve_params *p, const int8_t *a, const int8_t *b, int8_t *out, int32_t a_factor, int32_t b_factor, int32_t offset)
{
    const int low = p->low, high = p->high;
    int n = (int)p->inner;
#if LICHEN_HAS_MVE
    __asm__ volatile("vdup.32 q2, %[low]\n\t"
        "vdup.32 q3, %[high]\n\t"
        "wlstp.32 lr, %[n], 2f\n"
        "1:\n\t"
        "vldrb.s32 q0, [%[a]], #4\n\t"
        "vldrb.s32 q1, [%[b]], #4\n\t"
        "vshl.i32 q0, q0, #23\n\t"
        "vshl.i32 q1, q1, #23\n\t"
        "vqdmulh.s32 q0, q0, %[a_factor]\n\t"
        "vqdmulh.s32 q1, q1, %[b_factor]\n\t"
        "vadd.i32 q0, q0, %[offset]\n\t"
        "vadd.i32 q0, q0, q1\n\t"
        "vshr.s32 q0, q0, #20\n\t"
        "vmax.s32 q0, q0, q2\n\t"
        "vmin.s32 q0, q0, q3\n\t"
        "vstrb.32 q0, [%[out]], #4\n\t"
        "letp lr, 1b\n"
        "2:"
        : [a] "+l"(a), [b] "+l"(b), [out] "+l"(out)
        : [n] "r"(n), [a_factor] "r"(a_factor), [b_factor] "r"(b_factor), [offset] "r"(offset), [low] "r"(low), [high] "r"(high)
        : "q0", "q1", "q2", "q3", "lr", "cc", "memory");
#else
    for (; n > 0; n--) {
        const int32_t sum = lichen_linear_part_mve(*a++, a_factor) + offset + lichen_linear_part_mve(*b++, b_factor);
        *out++ = lichen_clamp_s8(sum >> 20, low, high);
    }
#endif
}

LICHEN_KERNEL void lichen_add_linear_s8_mve(const lichen_add_linear_s8_mve_params *p, const int8_t *a_data, const int8_t *b_data, int8_t *out,
    const int32_t *geometry)
{
    lichen_walk at;
    lichen_walk_start(&at, p->dimensions);
    for (int row = 0; row < (int)p->rows; row++, out += (int)p->inner) {
        const int8_t *a = a_data + at.a, *b = b_data + at.b;
        if (p->a_step == 0) { /* part of the offset; what is multiplied by zero can be any address */
            lichen_add_linear_run_mve(p, b, b, out, 0, p->b_factor, p->offset + lichen_linear_part_mve(*a, p->a_factor));
        } else if (p->b_step == 0) {
            lichen_add_linear_run_mve(p, a, a, out, p->a_factor, 0, p->offset + lichen_linear_part_mve(*b, p->b_factor));
        } else {
            lichen_add_linear_run_mve(p, a, b, out, p->a_factor, p->b_factor, p->offset);
        }
        lichen_walk_next(&at, geometry, p->dimensions);
    }
}

#endif
