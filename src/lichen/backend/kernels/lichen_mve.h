/* The vector instructions of Helium (MVE, Cortex-M55) that kernels use, each loop with its equal in plain C: the host with its sanitizers
   runs the same kernels and gets the same bytes. Loops are in assembly because GCC 12 makes neither WLSTP nor LETP, which repeat a loop at no
   cost and leave out, in its last round, the elements beyond its end. */
#ifndef LICHEN_MVE_H
#define LICHEN_MVE_H

#include "lichen_fixed_point.h"

#if defined(__GNUC__) && defined(__ARM_FEATURE_MVE) && defined(__OPTIMIZE__)
#include <arm_mve.h>
#define LICHEN_HAS_MVE 1
typedef int32x4_t lichen_four_mve;
#else
#define LICHEN_HAS_MVE 0
typedef struct {
    int32_t lane[4];
} lichen_four_mve;
#endif

/* Copies n bytes. */
LICHEN_INLINE void lichen_copy_mve(int8_t *to, const int8_t *from, int n)
{
#if LICHEN_HAS_MVE
    __asm__ volatile("wlstp.8 lr, %[n], 2f\n"
        "1:\n\t"
        "vldrb.8 q0, [%[from]], #16\n\t"
        "vstrb.8 q0, [%[to]], #16\n\t"
        "letp lr, 1b\n"
        "2:"
        : [to] "+r"(to), [from] "+r"(from)
        : [n] "r"(n)
        : "q0", "lr", "cc", "memory");
#else
    memcpy(to, from, (size_t)n);
#endif
}

/* Sets n bytes. */
LICHEN_INLINE void lichen_fill_mve(int8_t *to, int value, int n)
{
#if LICHEN_HAS_MVE
    __asm__ volatile("vdup.8 q0, %[value]\n\t"
        "wlstp.8 lr, %[n], 2f\n"
        "1:\n\t"
        "vstrb.8 q0, [%[to]], #16\n\t"
        "letp lr, 1b\n"
        "2:"
        : [to] "+r"(to)
        : [value] "r"(value), [n] "r"(n)
        : "q0", "lr", "cc", "memory");
#else
    memset(to, value, (size_t)n);
#endif
}

/* biases + four sums of products of the same n elements; weights lie in blocks of 16 for each of the sums in turn. Moves on to what follows
   them. */
LICHEN_INLINE lichen_four_mve lichen_dot4_mve(const int32_t *biases, const int8_t *x, const int8_t **weights, int n)
{
    lichen_four_mve four;
#if LICHEN_HAS_MVE
    int32_t sum0 = biases[0], sum1 = biases[1], sum2 = biases[2], sum3 = biases[3];
    const int8_t *w = *weights;
    __asm__ volatile("wlstp.8 lr, %[n], 2f\n"
        "1:\n\t"
        "vldrb.8 q0, [%[x]], #16\n\t"
        "vldrb.8 q1, [%[w]], #16\n\t"
        "vmladava.s8 %[sum0], q0, q1\n\t"
        "vldrb.8 q2, [%[w]], #16\n\t"
        "vmladava.s8 %[sum1], q0, q2\n\t"
        "vldrb.8 q1, [%[w]], #16\n\t"
        "vmladava.s8 %[sum2], q0, q1\n\t"
        "vldrb.8 q2, [%[w]], #16\n\t"
        "vmladava.s8 %[sum3], q0, q2\n\t"
        "letp lr, 1b\n"
        "2:\n\t"
        "vmov %q[four][2], %q[four][0], %[sum0], %[sum2]\n\t"
        "vmov %q[four][3], %q[four][1], %[sum1], %[sum3]"
        : [four] "=&w"(four), [x] "+r"(x), [w] "+r"(w), [sum0] "+Te"(sum0), [sum1] "+Te"(sum1), [sum2] "+Te"(sum2), [sum3] "+Te"(sum3)
        : [n] "r"(n)
        : "q0", "q1", "q2", "lr", "cc", "memory");
    *weights = w;
#else
    memcpy(four.lane, biases, sizeof four.lane);
    for (; n > 0; n -= 16, x += 16, *weights += 64) {
        for (int k = 0; k < 4; k++) {
            for (int i = 0; i < (n < 16 ? n : 16); i++) {
                four.lane[k] += x[i] * (*weights)[16 * k + i];
            }
        }
    }
#endif
    return four;
}

#if LICHEN_HAS_MVE
/* Four sums times the scales of their channels: mantissas and shifts to the left, as lichen_requantise takes them; any_left: whether some
   shift is to the left. VQRDMULH and VRSHL round halves upwards; what is negative and will be shifted to the right gets one less first,
   as in lichen_round_pot. */
LICHEN_INLINE int32x4_t lichen_requantise4_mve(int32x4_t x, const int32_t *mantissas, const int32_t *shifts, int any_left)
{
    int32x4_t shift = vldrwq_s32(shifts);
    if (any_left) {
        x = vshlq_s32(x, vmaxq_s32(shift, vdupq_n_s32(0)));
        shift = vminq_s32(shift, vdupq_n_s32(0));
    }
    x = vqrdmulhq_s32(x, vldrwq_s32(mantissas));
    x = vaddq_s32(x, vshrq_n_s32(vandq_s32(x, shift), 31));
    return vrshlq_s32(x, shift);
}
#endif

/* How four neighbouring channels are requantised. */
typedef struct {
    const int32_t *mantissas, *shifts;
} lichen_scales_mve;

/* out[k] = zero + sum k * scale of channel k, limited, for k < count <= 4. any_left: whether some shift is to the left. */
LICHEN_INLINE void lichen_finish4_mve(lichen_four_mve sums, lichen_scales_mve scales, int8_t *out, int count, int zero, int low, int high,
    int any_left)
{
#if LICHEN_HAS_MVE
    int32x4_t x = vaddq_n_s32(lichen_requantise4_mve(sums, scales.mantissas, scales.shifts, any_left), zero);
    x = vminq_s32(vmaxq_s32(x, vdupq_n_s32(low)), vdupq_n_s32(high));
    if (count >= 4) {
        vstrbq_s32(out, x);
    } else {
        vstrbq_p_s32(out, x, vctp32q((uint32_t)count));
    }
#else
    (void)any_left;
    for (int k = 0; k < count && k < 4; k++) {
        out[k] = lichen_requantise_s8(sums.lane[k], scales.mantissas[k], scales.shifts[k], zero, low, high);
    }
#endif
}

#endif
