/* The innermost loops of int8 sums: inputs in RAM times weights in flash, for one or four output channels (`width`). Each adds to
   sum[0 .. width) and returns the end of the weights it has used. Sums are only ever indexed by constants, so that they live in
   registers. */
#ifndef LICHEN_DOT_S8_H
#define LICHEN_DOT_S8_H

#include "lichen_common.h"

#if defined(__AVR__)

/* For one channel; four are computed by lichen_dot_avr.h. A product takes twelve cycles, and a turn of the loop four. */

#define LICHEN_DOT_MAC                                                   \
    "ld %[x], X+\n\t"                                                    \
    "lpm %[w], Z+\n\t"                                                   \
    "muls %[x], %[w]\n\t"                                                \
    "sbc %[w], %[w]\n\t" /* muls leaves the sign in carry: now a byte */ \
    "add %A[sum], r0\n\t"                                                \
    "adc %B[sum], r1\n\t"                                                \
    "adc %C[sum], %[w]\n\t"                                              \
    "adc %D[sum], %[w]\n\t"

/* sum += x[i] * w[i] for i < n. */
LICHEN_INLINE const int8_t *lichen_dot_avr(int32_t *sum, const int8_t *x, const int8_t *w, int n)
{
    int8_t input, weight;
    unsigned fours = (unsigned)n / 4u;
    uint8_t rest = (uint8_t)((uint8_t)n % 4u);
    __asm__("rjmp 2f\n"
        "1:\n\t" LICHEN_DOT_MAC LICHEN_DOT_MAC LICHEN_DOT_MAC LICHEN_DOT_MAC
        "2:\n\tsbiw %[fours], 1\n\tbrcc 1b\n\t"
        "rjmp 4f\n"
        "3:\n\t" LICHEN_DOT_MAC
        "4:\n\tsubi %[rest], 1\n\tbrcc 3b\n\t"
        "clr __zero_reg__"
        : [sum] "+r"(*sum), "+x"(x), "+z"(w), [fours] "+w"(fours), [rest] "+d"(rest), [x] "=&d"(input), [w] "=&d"(weight)
        :
        : "memory");
    return w;
}

/* sum += x[i * step] * w[i] for i < n. */
LICHEN_INLINE const int8_t *lichen_dot_strided_avr(int32_t *sum, const int8_t *x, int step, const int8_t *w, int n)
{
    int8_t input, weight;
    __asm__("rjmp 2f\n"
        "1:\n\t" LICHEN_DOT_MAC
        "add r26, %A[gap]\n\t"
        "adc r27, %B[gap]\n"
        "2:\n\tsbiw %[n], 1\n\tbrcc 1b\n\t"
        "clr __zero_reg__"
        : [sum] "+r"(*sum), "+x"(x), "+z"(w), [n] "+w"(n), [x] "=&d"(input), [w] "=&d"(weight)
        : [gap] "r"(step - 1)
        : "memory");
    return w;
}

#endif

/* sum += x * w. On AVR the compiler would multiply by a call. */
LICHEN_INLINE void lichen_dot_one_s8(int32_t *sum, int8_t x, int8_t w)
{
#if defined(__AVR__)
    __asm__("muls %[x], %[w]\n\t"
        "sbc %[w], %[w]\n\t"
        "add %A[sum], r0\n\tadc %B[sum], r1\n\tadc %C[sum], %[w]\n\tadc %D[sum], %[w]\n\t"
        "clr __zero_reg__"
        : [sum] "+r"(*sum), [w] "+d"(w)
        : [x] "d"(x));
#else
    *sum += x * w;
#endif
}

/* sum[b] += w[b]. */
LICHEN_INLINE void lichen_dot_add_s8(int32_t *sum, const int8_t *w, int width)
{
    sum[0] += lichen_flash_s8(w);
    if (width == 4) {
        sum[1] += lichen_flash_s8(w + 1);
        sum[2] += lichen_flash_s8(w + 2);
        sum[3] += lichen_flash_s8(w + 3);
    }
}

/* sum[b] += x[b * apart] * w[b]. */
LICHEN_INLINE void lichen_dot_mac_s8(int32_t *sum, const int8_t *x, int apart, const int8_t *w, int width)
{
    sum[0] += x[0] * lichen_flash_s8(w);
    if (width == 4) {
        sum[1] += x[apart] * lichen_flash_s8(w + 1);
        sum[2] += x[2 * apart] * lichen_flash_s8(w + 2);
        sum[3] += x[3 * apart] * lichen_flash_s8(w + 3);
    }
}

/* sum[b] += x[i] * w[i][b] for i < n. Unrolled where a loop's own instructions weigh as much as its products. */
LICHEN_INLINE const int8_t *lichen_dot_s8(int32_t *sum, const int8_t *x, const int8_t *w, int n, int width)
{
    const int8_t *const fours = x + (n & ~3), *const end = x + n;
#if defined(__AVR__)
    if (width == 1) {
        return lichen_dot_avr(sum, x, w, n);
    }
#endif
    for (; x < fours; x += 4, w += 4 * width) {
        lichen_dot_mac_s8(sum, x, 0, w, width);
        lichen_dot_mac_s8(sum, x + 1, 0, w + width, width);
        lichen_dot_mac_s8(sum, x + 2, 0, w + 2 * width, width);
        lichen_dot_mac_s8(sum, x + 3, 0, w + 3 * width, width);
    }
    for (; x < end; x++, w += width) {
        lichen_dot_mac_s8(sum, x, 0, w, width);
    }
    return w;
}

#if defined(__ARM_ARCH_6M__)

/* Rows of `taps` taps, and from the end of one to the start of the next, in bytes of the weights (`w_gap`) and of the input (`x_gap`, and
   `jump` more where that is not in front of address `limit`). The assembly knows them by their places. */
typedef struct {
    int taps, w_gap, x_gap, limit, jump, rows;
} lichen_strided_v6m;

/* As lichen_dot_strided_s8 for four channels and all rows of taps, at least one of each. Only loads at the sum of two registers extend signs
   here, so two offsets live in registers; 24 instructions for four products, 14 for a row. */
LICHEN_INLINE void lichen_dot_strided_v6m(int32_t *sum, lichen_strided_v6m *at, const int8_t *x, int step, const int8_t *w)
{
    register int32_t a __asm__("r8") = sum[0];
    register int32_t b __asm__("r9") = sum[1];
    register int32_t c __asm__("r10") = sum[2];
    register int32_t d __asm__("r11") = sum[3];
    register int apart __asm__("r12") = step;
    int32_t input, weight;
    int n;
    __asm__ volatile(".syntax unified\n"
        "1:\n\tldr %[n], [%[at]]\n"
        "2:\n\t"
        "ldrb %[input], [%[x]]\n\tsxtb %[input], %[input]\n\tldrb %[weight], [%[w]]\n\tsxtb %[weight], %[weight]\n\t"
        "muls %[weight], %[input], %[weight]\n\tadd %[a], %[a], %[weight]\n\t"
        "ldrsb %[input], [%[x], %[one]]\n\tldrsb %[weight], [%[w], %[one]]\n\t"
        "muls %[weight], %[input], %[weight]\n\tadd %[b], %[b], %[weight]\n\t"
        "ldrsb %[input], [%[x], %[two]]\n\tldrsb %[weight], [%[w], %[two]]\n\t"
        "muls %[weight], %[input], %[weight]\n\tadd %[c], %[c], %[weight]\n\t"
        "ldrb %[input], [%[x], #3]\n\tsxtb %[input], %[input]\n\tldrb %[weight], [%[w], #3]\n\tsxtb %[weight], %[weight]\n\t"
        "muls %[weight], %[input], %[weight]\n\tadd %[d], %[d], %[weight]\n\t"
        "adds %[w], #4\n\tadd %[x], %[x], %[apart]\n\tsubs %[n], #1\n\tbne 2b\n\t"
        "ldr %[input], [%[at], #4]\n\tadds %[w], %[w], %[input]\n\t"
        "ldr %[input], [%[at], #8]\n\tadds %[x], %[x], %[input]\n\t"
        "ldr %[input], [%[at], #12]\n\tcmp %[x], %[input]\n\tblo 3f\n\t"
        "ldr %[input], [%[at], #16]\n\tadds %[x], %[x], %[input]\n"
        "3:\n\t"
        "ldr %[input], [%[at], #20]\n\tsubs %[input], #1\n\tstr %[input], [%[at], #20]\n\tbgt 1b"
        : [a] "+r"(a), [b] "+r"(b), [c] "+r"(c), [d] "+r"(d), [x] "+l"(x), [w] "+l"(w), [input] "=&l"(input), [weight] "=&l"(weight),
        [n] "=&l"(n)
        : [at] "l"(at), [apart] "r"(apart), [one] "l"(1), [two] "l"(2)
        : "memory", "cc");
    sum[0] = a;
    sum[1] = b;
    sum[2] = c;
    sum[3] = d;
}

#endif

/* sum[b] += x[i * step + b] * w[i][b] for i < n. Unrolled for the usual three taps. */
LICHEN_INLINE const int8_t *lichen_dot_strided_s8(int32_t *sum, const int8_t *x, int step, const int8_t *w, int n, int width)
{
#if defined(__AVR__)
    if (width == 1) {
        return lichen_dot_strided_avr(sum, x, step, w, n);
    }
#endif
    for (; n >= 3; n -= 3, x += 3 * step, w += 3 * width) {
        lichen_dot_mac_s8(sum, x, 1, w, width);
        lichen_dot_mac_s8(sum, x + step, 1, w + width, width);
        lichen_dot_mac_s8(sum, x + 2 * step, 1, w + 2 * width, width);
    }
    for (; n > 0; n--, x += step, w += width) {
        lichen_dot_mac_s8(sum, x, 1, w, width);
    }
    return w;
}

#endif
