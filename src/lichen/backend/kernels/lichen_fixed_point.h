/* Fixed-point arithmetic of the LiteRT 8-bit specification, rounding twice as TensorFlow Lite Micro does. Twin: ops/fixed_point.py. */
#ifndef LICHEN_FIXED_POINT_H
#define LICHEN_FIXED_POINT_H

#include "lichen_common.h"

/* round(a * b / 2^31), halves upwards, which is what gemmlowp's nudge and truncating division come to. b is a mantissa below 2^31 and
   not negative, so the product never saturates. This is the form for cores that multiply 32 bits to 64. */
LICHEN_INLINE int32_t lichen_high_mul_wide(int32_t a, int32_t b)
{
    const int64_t product = (int64_t)a * b;
    return (int32_t)((product + ((int32_t)1 << 30)) >> 31);
}

/* The same for cores that have no product wider than 32 bits: from 16-bit halves, the upper one of a signed. The lowest 16 bits cannot
   matter. What is added up last is below 2^32: less than 2^31 of the outer product, and 15 bits of the inner one. */
LICHEN_INLINE int32_t lichen_high_mul_halves(int32_t a, int32_t b)
{
    const int32_t a_high = a >> 16, b_high = b >> 16, inner = a_high * (uint16_t)b;
    const uint32_t a_low = (uint16_t)a, b_low = (uint16_t)b;
    const uint32_t outer = a_low * (uint32_t)b_high + ((a_low * b_low) >> 16);
    return a_high * b_high * 2 + (inner >> 15) + (int32_t)((outer + ((uint32_t)inner & 0x7fffu) + (1u << 14)) >> 15);
}

#if defined(__AVR__)

/* The window of five bytes of the product that starts at p0, plus byte `a` of one factor times all of the other. */
#define LICHEN_HIGH_MUL_ADD(a, p0, p1, p2, p3, p4)                          \
    "mul " a ", %A[b]\n\tmovw %[t], r0\n\tmul " a ", %C[b]\n\t"             \
    "add " p0 ", %A[t]\n\tadc " p1 ", %B[t]\n\tadc " p2 ", r0\n\tadc " p3 ", r1\n\t" \
    "clr " p4 "\n\trol " p4 "\n\t"                                          \
    "mul " a ", %B[b]\n\tmovw %[t], r0\n\tmul " a ", %D[b]\n\t"             \
    "add " p1 ", %A[t]\n\tadc " p2 ", %B[t]\n\tadc " p3 ", r0\n\tadc " p4 ", r1\n\t"

/* From bytes, which is what AVR multiplies: the unsigned product and one half, less b * 2^32 for a negative a. The window moves up by
   a byte at a time, and the byte that leaves it, which cannot matter any more, makes room for the one that enters. */
LICHEN_LOOP int32_t lichen_high_mul_avr(int32_t a, int32_t b)
{
    uint32_t p = (uint32_t)1 << 30;
    uint16_t t;
    uint8_t top;
    __asm__(LICHEN_HIGH_MUL_ADD("%A[a]", "%A[p]", "%B[p]", "%C[p]", "%D[p]", "%[top]")
        LICHEN_HIGH_MUL_ADD("%B[a]", "%B[p]", "%C[p]", "%D[p]", "%[top]", "%A[p]")
        LICHEN_HIGH_MUL_ADD("%C[a]", "%C[p]", "%D[p]", "%[top]", "%A[p]", "%B[p]")
        LICHEN_HIGH_MUL_ADD("%D[a]", "%D[p]", "%[top]", "%A[p]", "%B[p]", "%C[p]")
        "clr __zero_reg__\n\t"
        "sbrs %D[a], 7\n\t"
        "rjmp 1f\n\t"
        "sub %[top], %A[b]\n\tsbc %A[p], %B[b]\n\tsbc %B[p], %C[b]\n\tsbc %C[p], %D[b]\n"
        "1:\n\t"
        "lsl %D[p]\n\t"
        "mov %A[a], %[top]\n\trol %A[a]\n\t"
        "mov %B[a], %A[p]\n\trol %B[a]\n\t"
        "mov %C[a], %B[p]\n\trol %C[a]\n\t"
        "mov %D[a], %C[p]\n\trol %D[a]"
        : [a] "+r"(a), [p] "+&r"(p), [t] "=&r"(t), [top] "=&r"(top)
        : [b] "r"(b));
    return a;
}

#endif

LICHEN_INLINE int32_t lichen_high_mul(int32_t a, int32_t b)
{
#if defined(__AVR__)
    return lichen_high_mul_avr(a, b);
#elif defined(__ARM_ARCH_6M__)
    return lichen_high_mul_halves(a, b);
#else
    return lichen_high_mul_wide(a, b);
#endif
}

/* round(x / 2^exponent), halves away from zero; 0 <= exponent <= 31. */
LICHEN_INLINE int32_t lichen_divide_by_pot(int32_t x, int exponent)
{
    const int32_t mask = (int32_t)(((uint32_t)1 << exponent) - 1u);
    const int32_t remainder = x & mask;
    const int32_t threshold = (mask >> 1) + (x < 0 ? 1 : 0);
    return (x >> exponent) + (remainder > threshold ? 1 : 0);
}

/* The same for 1 <= exponent and x above INT32_MIN. */
LICHEN_INLINE int32_t lichen_round_pot(int32_t x, int exponent)
{
#if defined(__AVR__)
    /* avr-gcc would shift bit by bit all the way. The bit that leaves last is in carry, and rounds. */
    uint8_t left = (uint8_t)exponent, dropped;
    __asm__("mov %[dropped], %D[x]\n\tlsl %[dropped]\n\t" /* less one if negative */
        "sbc %A[x], __zero_reg__\n\tsbc %B[x], __zero_reg__\n\tsbc %C[x], __zero_reg__\n\tsbc %D[x], __zero_reg__\n\t"
        "rjmp 2f\n"
        "1:\n\t" /* by a byte */
        "mov %[dropped], %A[x]\n\tmov %A[x], %B[x]\n\tmov %B[x], %C[x]\n\tmov %C[x], %D[x]\n\t"
        "lsl %D[x]\n\tsbc %D[x], %D[x]\n"
        "2:\n\tsubi %[left], 8\n\tbrcc 1b\n\t"
        "subi %[left], -8\n\t"
        "lsl %[dropped]\n\t"
        "rjmp 4f\n"
        "3:\n\t" /* by a bit */
        "asr %D[x]\n\tror %C[x]\n\tror %B[x]\n\tror %A[x]\n"
        "4:\n\tdec %[left]\n\tbrpl 3b\n\t"
        "adc %A[x], __zero_reg__\n\tadc %B[x], __zero_reg__\n\tadc %C[x], __zero_reg__\n\tadc %D[x], __zero_reg__"
        : [x] "+r"(x), [left] "+d"(left), [dropped] "=&r"(dropped));
    return x;
#else
    return (((x + (x >> 31)) >> (exponent - 1)) + 1) >> 1;
#endif
}

/* MultiplyByQuantizedMultiplier: x * mantissa * 2^(shift - 31). A product with a mantissa is above INT32_MIN. */
LICHEN_INLINE int32_t lichen_requantise(int32_t x, int32_t mantissa, int shift)
{
    if (shift >= 0) {
        return lichen_high_mul((int32_t)((uint32_t)x << shift), mantissa);
    }
    return lichen_round_pot(lichen_high_mul(x, mantissa), -shift);
}

/* From an accumulator to the int8 that leaves the operator. */
LICHEN_FOLDED int8_t lichen_requantise_s8(int32_t acc, int32_t mantissa, int shift, int zero, int low, int high)
{
    return lichen_clamp_s8(lichen_requantise(acc, mantissa, shift) + zero, low, high);
}

#endif
