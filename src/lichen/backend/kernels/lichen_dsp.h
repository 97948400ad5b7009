/* The DSP instructions of Cortex-M4, M7, M33 and M55 that kernels use, each with its equal in plain C: other cores, and the host with its
   sanitizers, run the same kernels and get the same bytes. A word holds two int16 lanes or four int8, the lowest first. */
#ifndef LICHEN_DSP_H
#define LICHEN_DSP_H

#include "lichen_common.h"

#if defined(__GNUC__) && defined(__ARM_FEATURE_DSP) && defined(__thumb2__) && !defined(LICHEN_NO_ASM)
#define LICHEN_HAS_DSP 1
#else
#define LICHEN_HAS_DSP 0
#endif

/* result = one instruction of up to three registers, which the compiler may move, merge or drop. ACLE's intrinsics would do for some, but
   not for the rotation inside SXTB16, and there are none for SMMLAR and SMMLSR. */
#define LICHEN_DSP_2(instruction, result, a, b) __asm__(instruction : "=r"(result) : "r"(a), "r"(b))
#define LICHEN_DSP_3(instruction, result, a, b, c) __asm__(instruction : "=r"(result) : "r"(a), "r"(b), "r"(c))

/* x in a register: of a constant the compiler would make two instructions where it is added to what is shifted. */
LICHEN_INLINE int32_t lichen_in_register(int32_t x)
{
#if LICHEN_HAS_DSP
    __asm__("" : "+r"(x));
#endif
    return x;
}

/* Four int8 or two int16 from any address. */
LICHEN_INLINE uint32_t lichen_load_word(const void *p)
{
    uint32_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

LICHEN_INLINE void lichen_store_word(void *p, uint32_t word)
{
    memcpy(p, &word, sizeof word);
}

LICHEN_INLINE int32_t lichen_low_lane(uint32_t x)
{
    return (int16_t)(uint16_t)x;
}

LICHEN_INLINE int32_t lichen_high_lane(uint32_t x)
{
    return (int16_t)(uint16_t)(x >> 16);
}

LICHEN_INLINE uint32_t lichen_lanes(int32_t low, int32_t high)
{
    return (uint16_t)low | (uint32_t)high << 16;
}

/* Of four int8 the first and the third, as int16. */
LICHEN_INLINE uint32_t lichen_sxtb16(uint32_t x)
{
    uint32_t result;
#if LICHEN_HAS_DSP
    __asm__("sxtb16 %0, %1" : "=r"(result) : "r"(x));
#else
    result = lichen_lanes((int8_t)(uint8_t)x, (int8_t)(uint8_t)(x >> 16));
#endif
    return result;
}

/* Of four int8 the second and the fourth, as int16. */
LICHEN_INLINE uint32_t lichen_sxtb16_odd(uint32_t x)
{
    uint32_t result;
#if LICHEN_HAS_DSP
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(result) : "r"(x));
#else
    result = lichen_lanes((int8_t)(uint8_t)(x >> 8), (int8_t)(uint8_t)(x >> 24));
#endif
    return result;
}

/* Of four int8 the first and the third, in the upper halves of int16 lanes. `upper` is 0xff00ff00, in a register. */
LICHEN_INLINE uint32_t lichen_upper_even(uint32_t x, uint32_t upper)
{
    uint32_t result;
#if LICHEN_HAS_DSP
    LICHEN_DSP_2("and %0, %2, %1, lsl #8", result, x, upper);
#else
    result = x << 8 & upper;
#endif
    return result;
}

/* The low lane of a and, above it, the low lane of b. */
LICHEN_INLINE uint32_t lichen_pack_low(uint32_t a, uint32_t b)
{
    uint32_t result;
#if LICHEN_HAS_DSP
    LICHEN_DSP_2("pkhbt %0, %1, %2, lsl #16", result, a, b);
#else
    result = (uint16_t)a | b << 16;
#endif
    return result;
}

/* The high lane of a and, above it, the high lane of b. */
LICHEN_INLINE uint32_t lichen_pack_high(uint32_t a, uint32_t b)
{
    uint32_t result;
#if LICHEN_HAS_DSP
    LICHEN_DSP_2("pkhtb %0, %2, %1, asr #16", result, a, b);
#else
    result = a >> 16 | (b & 0xffff0000u);
#endif
    return result;
}

/* acc + the products of both lanes, modulo 2^32. */
LICHEN_INLINE int32_t lichen_smlad(uint32_t x, uint32_t y, int32_t acc)
{
    int32_t result;
#if LICHEN_HAS_DSP
    LICHEN_DSP_3("smlad %0, %1, %2, %3", result, x, y, acc);
#else
    const uint32_t low = (uint32_t)(lichen_low_lane(x) * lichen_low_lane(y)), high = (uint32_t)(lichen_high_lane(x) * lichen_high_lane(y));
    result = (int32_t)((uint32_t)acc + low + high);
#endif
    return result;
}

/* a * b / 2^32, rounded to nearest, halves upwards. */
LICHEN_INLINE int32_t lichen_smmulr(int32_t a, int32_t b)
{
    int32_t result;
#if LICHEN_HAS_DSP
    LICHEN_DSP_2("smmulr %0, %1, %2", result, a, b);
#else
    result = (int32_t)(((int64_t)a * b + ((int64_t)1 << 31)) >> 32);
#endif
    return result;
}

/* c + a * b / 2^32, rounded to nearest, halves upwards. */
LICHEN_INLINE int32_t lichen_smmlar(int32_t a, int32_t b, int32_t c)
{
    int32_t result;
#if LICHEN_HAS_DSP
    LICHEN_DSP_3("smmlar %0, %1, %2, %3", result, a, b, c);
#else
    result = (int32_t)((uint32_t)c + (uint32_t)(((int64_t)a * b + ((int64_t)1 << 31)) >> 32));
#endif
    return result;
}

/* c - a * b / 2^32, rounded to nearest, halves upwards. */
LICHEN_INLINE int32_t lichen_smmlsr(int32_t a, int32_t b, int32_t c)
{
    int32_t result;
#if LICHEN_HAS_DSP
    LICHEN_DSP_3("smmlsr %0, %1, %2, %3", result, a, b, c);
#else
    result = (int32_t)((uint32_t)c + (uint32_t)((((int64_t)1 << 31) - (int64_t)a * b) >> 32));
#endif
    return result;
}

/* acc + a times the low lane of x / 2^16, rounded down. */
LICHEN_INLINE int32_t lichen_smlawb(int32_t a, uint32_t x, int32_t acc)
{
    int32_t result;
#if LICHEN_HAS_DSP
    LICHEN_DSP_3("smlawb %0, %1, %2, %3", result, a, x, acc);
#else
    result = (int32_t)((uint32_t)acc + (uint32_t)(((int64_t)a * lichen_low_lane(x)) >> 16));
#endif
    return result;
}

/* The same with the high lane. */
LICHEN_INLINE int32_t lichen_smlawt(int32_t a, uint32_t x, int32_t acc)
{
    int32_t result;
#if LICHEN_HAS_DSP
    LICHEN_DSP_3("smlawt %0, %1, %2, %3", result, a, x, acc);
#else
    result = (int32_t)((uint32_t)acc + (uint32_t)(((int64_t)a * lichen_high_lane(x)) >> 16));
#endif
    return result;
}

/* The product of the low lanes. */
LICHEN_INLINE int32_t lichen_smulbb(uint32_t x, uint32_t y)
{
    int32_t result;
#if LICHEN_HAS_DSP
    LICHEN_DSP_2("smulbb %0, %1, %2", result, x, y);
#else
    result = lichen_low_lane(x) * lichen_low_lane(y);
#endif
    return result;
}

/* The product of the high lanes. */
LICHEN_INLINE int32_t lichen_smultt(uint32_t x, uint32_t y)
{
    int32_t result;
#if LICHEN_HAS_DSP
    LICHEN_DSP_2("smultt %0, %1, %2", result, x, y);
#else
    result = lichen_high_lane(x) * lichen_high_lane(y);
#endif
    return result;
}

/* The lanes of acc plus, of four int8, the first and the third. */
LICHEN_INLINE uint32_t lichen_sxtab16(uint32_t acc, uint32_t x)
{
    uint32_t result;
#if LICHEN_HAS_DSP
    LICHEN_DSP_2("sxtab16 %0, %1, %2", result, acc, x);
#else
    const uint32_t y = lichen_sxtb16(x);
    result = lichen_lanes(lichen_low_lane(acc) + lichen_low_lane(y), lichen_high_lane(acc) + lichen_high_lane(y));
#endif
    return result;
}

/* The lanes of acc plus, of four int8, the second and the fourth. */
LICHEN_INLINE uint32_t lichen_sxtab16_odd(uint32_t acc, uint32_t x)
{
    uint32_t result;
#if LICHEN_HAS_DSP
    LICHEN_DSP_2("sxtab16 %0, %1, %2, ror #8", result, acc, x);
#else
    result = lichen_sxtab16(acc, x >> 8);
#endif
    return result;
}

/* acc + the four bytes of x as numbers from 0 to 255. */
LICHEN_INLINE int32_t lichen_usada8(uint32_t x, int32_t acc)
{
    int32_t result;
#if LICHEN_HAS_DSP
    LICHEN_DSP_3("usada8 %0, %1, %2, %3", result, x, 0u, acc);
#else
    result = acc + (int32_t)((x & 0xffu) + (x >> 8 & 0xffu) + (x >> 16 & 0xffu) + (x >> 24));
#endif
    return result;
}

/* x limited to int8. */
LICHEN_INLINE int32_t lichen_ssat8(int32_t x)
{
    int32_t result;
#if LICHEN_HAS_DSP
    __asm__("ssat %0, #8, %1" : "=r"(result) : "r"(x));
#else
    result = x < -128 ? -128 : x > 127 ? 127 : x;
#endif
    return result;
}

/* x / 2^20, rounded down and limited to int8. */
LICHEN_INLINE int32_t lichen_ssat8_20(int32_t x)
{
    int32_t result;
#if LICHEN_HAS_DSP
    __asm__("ssat %0, #8, %1, asr #20" : "=r"(result) : "r"(x));
#else
    result = lichen_ssat8(x >> 20);
#endif
    return result;
}

/* x with its second byte replaced by the first of y. */
LICHEN_INLINE uint32_t lichen_insert_second(uint32_t x, uint32_t y)
{
#if LICHEN_HAS_DSP
    __asm__("bfi %0, %1, #8, #8" : "+r"(x) : "r"(y));
    return x;
#else
    return (x & 0xffff00ffu) | (y & 0xffu) << 8;
#endif
}

/* Of each of four pairs of int8 the larger one. */
LICHEN_INLINE uint32_t lichen_larger_s8(uint32_t x, uint32_t y)
{
    uint32_t result;
#if LICHEN_HAS_DSP
    __asm__("ssub8 %0, %1, %2\n\tsel %0, %1, %2" : "=&r"(result) : "r"(x), "r"(y) : "cc");
#else
    result = 0;
    for (int i = 0; i < 32; i += 8) {
        const uint32_t a = x >> i & 0xffu, b = y >> i & 0xffu;
        result |= ((a ^ 0x80u) > (b ^ 0x80u) ? a : b) << i;
    }
#endif
    return result;
}

/* The smaller one. */
LICHEN_INLINE uint32_t lichen_smaller_s8(uint32_t x, uint32_t y)
{
    uint32_t result;
#if LICHEN_HAS_DSP
    __asm__("ssub8 %0, %1, %2\n\tsel %0, %2, %1" : "=&r"(result) : "r"(x), "r"(y) : "cc");
#else
    result = x ^ y ^ lichen_larger_s8(x, y);
#endif
    return result;
}

#endif
