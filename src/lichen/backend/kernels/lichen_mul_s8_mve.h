/* int8 product on cores with Helium: 3.5 instructions an element. Requantised as in lichen_mve.h, by a ratio below one half.

   Operands may be broadcast, but neither stays the same within a run. Elements in order, four of both operands read before their results
   are written. */
#ifndef LICHEN_MUL_S8_MVE_H
#define LICHEN_MUL_S8_MVE_H

#include "lichen_mve.h"
#include "lichen_walk.h"

typedef struct {
    int32_t rows, inner; /* runs of `inner` elements */
    int16_t dimensions, a_step, b_step; /* steps are 1 */
    int16_t a_zero, b_zero, out_zero, low, high;
    int32_t mantissa;
    int16_t shift; /* to the left, so less than zero */
} lichen_mul_s8_mve_params;

/* One run. */
LICHEN_LOOP void lichen_mul_run_mve(const lichen_mul_s8_mve_params *p, const int8_t *a, const int8_t *b, int8_t *out)
{
    const lichen_mul_s8_mve_params local = *p; /* out might alias p */
    int n = (int)local.inner;
#if LICHEN_HAS_MVE
    const int32x4_t low = vdupq_n_s32(local.low), high = vdupq_n_s32(local.high);
    __asm__ volatile("wlstp.32 lr, %[n], 2f\n"
        "1:\n\t"
        "vldrb.s32 q0, [%[a]], #4\n\t"
        "vldrb.s32 q1, [%[b]], #4\n\t"
        "vadd.i32 q0, q0, %[a_less]\n\t"
        "vadd.i32 q1, q1, %[b_less]\n\t"
        "vmul.i32 q0, q0, q1\n\t"
        "vqrdmulh.s32 q0, q0, %[mantissa]\n\t"
        "vshr.s32 q1, q0, #31\n\t"
        "vadd.i32 q0, q0, q1\n\t"
        "vrshl.s32 q0, %[shift]\n\t"
        "vadd.i32 q0, q0, %[zero]\n\t"
        "vmax.s32 q0, q0, %q[low]\n\t"
        "vmin.s32 q0, q0, %q[high]\n\t"
        "vstrb.32 q0, [%[out]], #4\n\t"
        "letp lr, 1b\n"
        "2:"
        : [a] "+l"(a), [b] "+l"(b), [out] "+l"(out)
        : [n] "r"(n), [a_less] "r"(-local.a_zero), [b_less] "r"(-local.b_zero), [mantissa] "r"(local.mantissa),
        [shift] "r"((int32_t)local.shift), [zero] "r"((int32_t)local.out_zero), [low] "w"(low), [high] "w"(high)
        : "q0", "q1", "lr", "cc", "memory");
#else
    for (; n > 0; n--) {
        const int32_t product = (*a++ - local.a_zero) * (*b++ - local.b_zero);
        *out++ = lichen_requantise_s8(product, local.mantissa, local.shift, local.out_zero, local.low, local.high);
    }
#endif
}

LICHEN_KERNEL void lichen_mul_s8_mve(const lichen_mul_s8_mve_params *p, const int8_t *a, const int8_t *b, int8_t *out,
    const int32_t *geometry)
{
    lichen_walk at;
    lichen_walk_start(&at, p->dimensions);
    for (int row = 0; row < (int)p->rows; row++, out += (int)p->inner) {
        lichen_mul_run_mve(p, a + at.a, b + at.b, out);
        lichen_walk_next(&at, geometry, p->dimensions);
    }
}

#endif
