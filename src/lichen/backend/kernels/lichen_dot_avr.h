/* Four output channels at a time on AVR: the innermost loops of their int8 sums, inputs in RAM times weights in flash, and both ends of them.

   How this works inside: avr-gcc extends both factors to 16 bits and their product to 32, and works out both addresses anew for each.
   Here four sums share each load of the input and have three bytes each. Only in the end must a sum fit: what it loses above on the way
   comes back. Where channels come in blocks, lower() has seen to that, and that all of them are shifted to the right.

   Cycles of a product: lpm 3, muls 2, its sign as a byte 1, three additions 3; with a quarter of the input's load (2) that is 9.5, and the
   loop takes 4 for 16 products: 9.75. Depthwise each product has its own input: 11, and the loop takes 5 for 4. A row of taps takes 40,
   a call with the registers saved 170, and an output 175 from sum to int8. */
#ifndef LICHEN_DOT_AVR_H
#define LICHEN_DOT_AVR_H

#include "lichen_fixed_point.h"

#if defined(__AVR__)

/* Rows of taps: from the end of one to the start of the next in bytes of the weights (`w_gap`) and of the input (`x_gap`, and `jump` more
   where that is not in front of `x_end`). Below they are read in this order. */
typedef struct {
    int w_gap, x_gap;
    const int8_t *x_end;
    int jump;
} lichen_rows_avr;

/* The four sums are r4:r3:r2, r7:r6:r5, r10:r9:r8 and r13:r12:r11. */
#define LICHEN_SUMS_AVR "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "r13"

/* A macro of three registers, for each sum. */
#define LICHEN_EACH_AVR(macro) macro("r2", "r3", "r4") macro("r5", "r6", "r7") macro("r8", "r9", "r10") macro("r11", "r12", "r13")

#define LICHEN_LOAD_AVR(s0, s1, s2) "ld " s0 ", X+\n\tld " s1 ", X+\n\tld " s2 ", X+\n\t"
#define LICHEN_STORE_AVR(s0, s1, s2) "st X+, " s0 "\n\tst X+, " s1 "\n\tst X+, " s2 "\n\t"

/* Sum += input * the next weight. */
#define LICHEN_MAC_AVR(s0, s1, s2)                                       \
    "lpm %[w], Z+\n\t"                                                   \
    "muls %[x], %[w]\n\t"                                                \
    "sbc %[w], %[w]\n\t" /* muls leaves the sign in carry: now a byte */ \
    "add " s0 ", r0\n\tadc " s1 ", r1\n\tadc " s2 ", %[w]\n\t"

#define LICHEN_MACS_AVR "ld %[x], X+\n\t" LICHEN_EACH_AVR(LICHEN_MAC_AVR)
#define LICHEN_OWN_MAC_AVR(s0, s1, s2) "ld %[x], X+\n\t" LICHEN_MAC_AVR(s0, s1, s2)

/* X and Z from the end of a row of taps to the start of the next. */
#define LICHEN_NEXT_ROW_AVR                                                         \
    "mov %[x], r26\n\tmov %[w], r27\n\tmovw r26, %[at]\n\t"                        \
    "ld r0, X+\n\tld r1, X+\n\tadd r30, r0\n\tadc r31, r1\n\t"                    \
    "ld r0, X+\n\tld r1, X+\n\tadd %[x], r0\n\tadc %[w], r1\n\t"                  \
    "ld r0, X+\n\tld r1, X+\n\tcp %[x], r0\n\tcpc %[w], r1\n\tbrlo 7f\n\t"       \
    "ld r0, X+\n\tld r1, X+\n\tadd %[x], r0\n\tadc %[w], r1\n"                    \
    "7:\n\tmov r26, %[x]\n\tmov r27, %[w]\n"

/* Sums that begin with the biases of four channels. */
LICHEN_INLINE void lichen_begin4_avr(uint8_t *sums, const int32_t *bias)
{
    uint8_t left = 4;
    __asm__ volatile("1:\n\t"
        "lpm r0, Z+\n\tst X+, r0\n\tlpm r0, Z+\n\tst X+, r0\n\tlpm r0, Z+\n\tst X+, r0\n\t"
        "adiw r30, 1\n\t" /* what does not fit into three bytes */
        "dec %[left]\n\tbrne 1b"
        : "+&x"(sums), "+z"(bias), [left] "+r"(left)
        :
        : "memory");
}

/* sum[b] += x[i] * w[i][b] for i < run <= 1023, in each of `rows` rows of taps. */
LICHEN_LOOP void lichen_dot4_avr(uint8_t *sums, const lichen_rows_avr *at, const int8_t *x, const int8_t *w, uint8_t rows, int run)
{
    const uint8_t fours = (uint8_t)((unsigned)run / 4u), rest = (uint8_t)((uint8_t)run % 4u);
    uint8_t *const begin = sums;
    uint8_t left;
    int8_t input, weight;
    __asm__ volatile(LICHEN_EACH_AVR(LICHEN_LOAD_AVR)
        "movw r26, %[from]\n\t"
        "rjmp 6f\n"
        "0:\n\t"
        "mov %[left], %[fours]\n\t"
        "rjmp 2f\n"
        "1:\n\t" LICHEN_MACS_AVR LICHEN_MACS_AVR LICHEN_MACS_AVR LICHEN_MACS_AVR
        "2:\n\tsubi %[left], 1\n\tbrcs 3f\n\trjmp 1b\n" /* too far for brcc */
        "3:\n\t"
        "mov %[left], %[rest]\n\t"
        "rjmp 5f\n"
        "4:\n\t" LICHEN_MACS_AVR
        "5:\n\tsubi %[left], 1\n\tbrcc 4b\n\t" LICHEN_NEXT_ROW_AVR
        "6:\n\tsubi %[rows], 1\n\tbrcs 8f\n\trjmp 0b\n"
        "8:\n\t"
        "movw r26, %[begin]\n\t" LICHEN_EACH_AVR(LICHEN_STORE_AVR) "clr __zero_reg__"
        : "+&x"(sums), "+z"(w), [rows] "+d"(rows), [left] "=&d"(left), [x] "=&d"(input), [w] "=&d"(weight)
        : [begin] "r"(begin), [from] "r"(x), [at] "r"(at), [fours] "r"(fours), [rest] "r"(rest)
        : LICHEN_SUMS_AVR, "memory");
}

/* sum[b] += x[i * step + b] * w[i][b] for i < taps, in each of `rows` rows of taps. */
LICHEN_LOOP void lichen_dot_strided4_avr(
    uint8_t *sums, const lichen_rows_avr *at, const int8_t *x, int step, const int8_t *w, uint8_t rows, uint8_t taps)
{
    uint8_t *const begin = sums;
    uint8_t left;
    int8_t input, weight;
    __asm__ volatile(LICHEN_EACH_AVR(LICHEN_LOAD_AVR)
        "movw r26, %[from]\n\t"
        "inc %[rows]\n\trjmp 6f\n"
        "0:\n\t"
        "mov %[left], %[taps]\n\tinc %[left]\n\t"
        "rjmp 2f\n"
        "1:\n\t" LICHEN_EACH_AVR(LICHEN_OWN_MAC_AVR)
        "add r26, %A[gap]\n\tadc r27, %B[gap]\n"
        "2:\n\tdec %[left]\n\tbrne 1b\n\t" LICHEN_NEXT_ROW_AVR
        "6:\n\tdec %[rows]\n\tbreq 8f\n\trjmp 0b\n"
        "8:\n\t"
        "movw r26, %[begin]\n\t" LICHEN_EACH_AVR(LICHEN_STORE_AVR) "clr __zero_reg__"
        : "+&x"(sums), "+z"(w), [rows] "+r"(rows), [left] "=&r"(left), [x] "=&d"(input), [w] "=&d"(weight)
        : [begin] "r"(begin), [from] "r"(x), [at] "r"(at), [gap] "r"(step - 4), [taps] "r"(taps)
        : LICHEN_SUMS_AVR, "memory");
}

/* sum[b] += input * w[i][b] for i < n, 1 <= n. Returns the end of the weights. */
LICHEN_LOOP const int8_t *lichen_dot_constant4_avr(uint8_t *sums, int8_t input, const int8_t *w, int n)
{
    uint8_t *const begin = sums;
    int8_t weight;
    __asm__ volatile(LICHEN_EACH_AVR(LICHEN_LOAD_AVR)
        "1:\n\t" LICHEN_EACH_AVR(LICHEN_MAC_AVR)
        "subi %A[n], 1\n\tsbci %B[n], 0\n\tbrne 1b\n\t"
        "movw r26, %[begin]\n\t" LICHEN_EACH_AVR(LICHEN_STORE_AVR) "clr __zero_reg__"
        : "+&x"(sums), "+z"(w), [n] "+d"(n), [w] "=&d"(weight)
        : [begin] "r"(begin), [x] "d"(input)
        : LICHEN_SUMS_AVR, "memory");
    return w;
}

/* What results are limited to before the zero point is added. */
typedef struct {
    int low, high;
    int8_t zero;
} lichen_limits_avr;

/* out[b] = sum[b], requantised by the multipliers and (negative) shifts of four channels.

   One half, and the 2^31 by which negative results round otherwise, are added to the product of sum and multiplier; so no bit needs to be
   shifted out of it but those of the shift. */
LICHEN_LOOP void lichen_end4_avr(
    const uint8_t *sums, const int32_t *multiplier, const int8_t *shift, const lichen_limits_avr *limits, int8_t *out)
{
    uint32_t p, b;
    uint16_t t;
    uint8_t a0, a1, a2, top, left = 4;
    __asm__ volatile("0:\n\t"
        "ld %[a0], X+\n\tld %[a1], X+\n\tld %[a2], X+\n\t"
        "movw r30, %[multiplier]\n\t"
        "lpm %A[b], Z+\n\tlpm %B[b], Z+\n\tlpm %C[b], Z+\n\tlpm %D[b], Z+\n\t"
        "movw %[multiplier], r30\n\t"
        "clr %A[p]\n\tclr %B[p]\n\tclr %C[p]\n\tldi %D[p], 0x40\n\t" /* 2^30 */
        LICHEN_HIGH_MUL_ADD("%[a0]", "%A[p]", "%B[p]", "%C[p]", "%D[p]", "%[top]")
        LICHEN_HIGH_MUL_ADD("%[a1]", "%B[p]", "%C[p]", "%D[p]", "%[top]", "%A[p]")
        LICHEN_HIGH_MUL_ADD("%[a2]", "%C[p]", "%D[p]", "%[top]", "%A[p]", "%B[p]")
        "clr __zero_reg__\n\t"
        /* Bytes 3 to 6 of the product are D, top, A and B; less b * 2^24 and 2^31 for a negative sum. */
        "sbrs %[a2], 7\n\t"
        "rjmp 2f\n\t"
        "sub %D[p], %A[b]\n\tsbc %[top], %B[b]\n\tsbc %A[p], %C[b]\n\tsbc %B[p], %D[b]\n\t"
        "subi %D[p], 0x80\n\tsbc %[top], __zero_reg__\n\tsbc %A[p], __zero_reg__\n\tsbc %B[p], __zero_reg__\n"
        "2:\n\t"
        "movw r30, %[shift]\n\tlpm %A[b], Z+\n\tmovw %[shift], r30\n\t"
        "com %A[b]\n\t" /* how far the upper word goes to the right: one bit less than all */
        "rjmp 4f\n"
        "3:\n\t" /* by a byte */
        "mov %D[p], %[top]\n\tmov %[top], %A[p]\n\tmov %A[p], %B[p]\n\tlsl %B[p]\n\tsbc %B[p], %B[p]\n"
        "4:\n\tsubi %A[b], 8\n\tbrcc 3b\n\t"
        "mov %A[t], %[top]\n\tmov %B[t], %A[p]\n\t"
        "lsl %A[p]\n\tsbc %A[p], %A[p]\n\t"
        "cpse %A[p], %B[p]\n\trjmp 8f\n" /* does not fit into 16 bits */
        "5:\n\t"
        "subi %A[b], 0xF8\n\t"
        "lsl %D[p]\n\t" /* the bit that rounds into carry */
        "rjmp 7f\n"
        "6:\n\t" /* by a bit */
        "asr %B[t]\n\tror %A[t]\n"
        "7:\n\tdec %A[b]\n\tbrpl 6b\n\t"
        "adc %A[t], __zero_reg__\n\tadc %B[t], __zero_reg__\n\t"
        "brvs 9f\n"
        "10:\n\t"
        "movw r30, %[limits]\n\t"
        "ld %A[b], Z+\n\tld %B[b], Z+\n\tcp %A[t], %A[b]\n\tcpc %B[t], %B[b]\n\tbrge 11f\n\tmovw %A[t], %A[b]\n"
        "11:\n\t"
        "ld %A[b], Z+\n\tld %B[b], Z+\n\tcp %A[b], %A[t]\n\tcpc %B[b], %B[t]\n\tbrge 12f\n\tmovw %A[t], %A[b]\n"
        "12:\n\t"
        "ld %A[b], Z\n\tadd %A[t], %A[b]\n\t"
        "movw r30, %[out]\n\tst Z+, %A[t]\n\tmovw %[out], r30\n\t"
        "dec %[left]\n\tbreq 13f\n\trjmp 0b\n"
        "8:\n\t" /* nor will it when fewer than 8 bits are gone: as far from 0 as there is */
        "lsl %B[p]\n\tsbc %B[p], %B[p]\n\tcom %B[p]\n\tmov %A[t], %B[p]\n\tldi %D[p], 0x80\n\teor %D[p], %B[p]\n\tmov %B[t], %D[p]\n\t"
        "clr %D[p]\n\trjmp 5b\n"
        "9:\n\t" /* 2^15 */
        "com %A[t]\n\tcom %B[t]\n\trjmp 10b\n"
        "13:"
        : "+&x"(sums), [multiplier] "+r"(multiplier), [shift] "+r"(shift), [out] "+r"(out), [left] "+r"(left), [a0] "=&r"(a0),
        [a1] "=&r"(a1), [a2] "=&r"(a2), [b] "=&d"(b), [p] "=&d"(p), [top] "=&r"(top), [t] "=&r"(t)
        : [limits] "r"(limits)
        : "r30", "r31", "memory");
}

#endif

#endif
