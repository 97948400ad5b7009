/* Four widened patches at once with the weights of all channels: the part of a convolution that takes the time.

   A word of weights (two elements of channels A and B, see lichen_products_dsp.h) is loaded and widened once, and multiplied with words of
   four patches that two LDRD bring: 12 instructions for 16 products, 0.77 to 0.84 a product
   with the loop's own. Eight sums, two pointers and four
   words are all registers there are, which GCC 12 manages only in assembly. An output takes seven to nine instructions more. */
#ifndef LICHEN_TILE4_DSP_H
#define LICHEN_TILE4_DSP_H

#include "lichen_products_dsp.h"

/* The sums of four patches for channel A, which begin with its bias, and for A and B in one. */
typedef struct {
    int32_t a[4], both[4];
} lichen_sums_dsp;

#if LICHEN_HAS_DSP && defined(__OPTIMIZE__)

/* Two elements of four patches. The sums begin with what is in both3, which is written last. */
#define LICHEN_PRODUCTS_STEP(a0, a1, a2, a3, both0, both1, both2)     \
    "ldr %[w], [%[weights]], #4\n\t"                                  \
    "ldrd %[x0], %[x1], [%[x]], #8\n\t"                               \
    "sxtb16 %[wa], %[w]\n\t"                                          \
    "smlad %[both0], %[x0], %[w], %[" both0 "]\n\t"                   \
    "smlad %[both1], %[x1], %[w], %[" both1 "]\n\t"                   \
    "smlad %[a0], %[x0], %[wa], %[" a0 "]\n\t"                        \
    "smlad %[a1], %[x1], %[wa], %[" a1 "]\n\t"                        \
    "ldrd %[x0], %[x1], [%[x]], #8\n\t"                               \
    "smlad %[a2], %[x0], %[wa], %[" a2 "]\n\t"                        \
    "smlad %[a3], %[x1], %[wa], %[" a3 "]\n\t"                        \
    "smlad %[both2], %[x0], %[w], %[" both2 "]\n\t"                   \
    "smlad %[both3], %[x1], %[w], %[both3]\n\t"

#define LICHEN_PRODUCTS_BEGIN LICHEN_PRODUCTS_STEP("both3", "both3", "both3", "both3", "both3", "both3", "both3")
#define LICHEN_PRODUCTS_NEXT LICHEN_PRODUCTS_STEP("a0", "a1", "a2", "a3", "both0", "both1", "both2")
#define LICHEN_PRODUCTS_2 LICHEN_PRODUCTS_NEXT LICHEN_PRODUCTS_NEXT
#define LICHEN_PRODUCTS_4 LICHEN_PRODUCTS_2 LICHEN_PRODUCTS_2

/* The words behind the first two: sixteen elements a turn, and what is left first; or four a turn where flash is dearer. */
#if defined(LICHEN_OPTIMIZE_SPEED)
#define LICHEN_PRODUCTS_REST         \
    "ldr %[w], %[end]\n\t"           \
    "sub %[w], %[w], %[x]\n\t"       \
    "tst %[w], #32\n\t"              \
    "beq 1f\n\t" LICHEN_PRODUCTS_2   \
    "ldr %[w], %[end]\n\t"           \
    "sub %[w], %[w], %[x]\n"         \
    "1:\n\t"                         \
    "tst %[w], #64\n\t"              \
    "beq 2f\n\t" LICHEN_PRODUCTS_4   \
    "2:\n\t"                         \
    "ldr %[w], %[end]\n\t"           \
    "cmp %[x], %[w]\n\t"             \
    "beq 4f\n"                       \
    "3:\n\t" LICHEN_PRODUCTS_4 LICHEN_PRODUCTS_4 \
    "ldr %[w], %[end]\n\t"           \
    "cmp %[x], %[w]\n\t"             \
    "bne 3b\n"                       \
    "4:"
#else
#define LICHEN_PRODUCTS_REST         \
    "b 2f\n"                         \
    "1:\n\t" LICHEN_PRODUCTS_2       \
    "2:\n\t"                         \
    "ldr %[w], %[end]\n\t"           \
    "cmp %[x], %[w]\n\t"             \
    "bne 1b"
#endif

/* From x to `end`; returns the weights behind those of the patch. */
LICHEN_INLINE const int32_t *lichen_products4_dsp(
    lichen_sums_dsp *sums, const uint32_t *x, const uint32_t *const *end, const int32_t *weights, int32_t bias)
{
    int32_t a0, a1, a2, a3, both0, both1, both2, both3 = bias;
    uint32_t x0, x1, w, wa;
    __asm__(LICHEN_PRODUCTS_BEGIN LICHEN_PRODUCTS_NEXT LICHEN_PRODUCTS_REST
        : [a0] "=&r"(a0), [a1] "=&r"(a1), [a2] "=&r"(a2), [a3] "=&r"(a3), [both0] "=&r"(both0), [both1] "=&r"(both1),
        [both2] "=&r"(both2), [both3] "+&r"(both3), [x] "+&r"(x), [weights] "+&r"(weights), [x0] "=&r"(x0), [x1] "=&r"(x1), [w] "=&r"(w),
        [wa] "=&r"(wa)
        : [end] "m"(*end)
        : "cc", "memory");
    sums->a[0] = a0;
    sums->a[1] = a1;
    sums->a[2] = a2;
    sums->a[3] = a3;
    sums->both[0] = both0;
    sums->both[1] = both1;
    sums->both[2] = both2;
    sums->both[3] = both3;
    return weights;
}

#else

LICHEN_INLINE const int32_t *lichen_products4_dsp(
    lichen_sums_dsp *sums, const uint32_t *x, const uint32_t *const *end, const int32_t *weights, int32_t bias)
{
    for (int j = 0; j < 4; j++) {
        sums->a[j] = sums->both[j] = bias;
    }
    for (; x < *end; weights++) {
        const uint32_t w = (uint32_t)*weights, wa = lichen_sxtb16(w);
        for (int j = 0; j < 4; j++, x++) {
            sums->a[j] = lichen_smlad(*x, wa, sums->a[j]);
            sums->both[j] = lichen_smlad(*x, w, sums->both[j]);
        }
    }
    return weights;
}

#endif

#if LICHEN_HAS_DSP && defined(__OPTIMIZE__)

#define LICHEN_FINISH_SPLIT(j)                        \
    "sub %[both" #j "], %[both" #j "], %[a" #j "]\n\t"
#define LICHEN_FINISH_SECOND(j) "add %[both" #j "], %[bias], %[both" #j "], asr #8\n\t"
#define LICHEN_FINISH_HIGH(sum) "smmlar " sum ", " sum ", %[doubled], " sum "\n\t"
#define LICHEN_FINISH_AWAY(sum) "add " sum ", " sum ", " sum ", asr #31\n\t"
#define LICHEN_FINISH_SHIFT(sum) "smmlsr " sum ", " sum ", %[shift], %[zero]\n\tssat " sum ", #8, " sum "\n\t"
#define LICHEN_FINISH_UP(sum) LICHEN_FINISH_HIGH(sum) LICHEN_FINISH_SHIFT(sum)
#define LICHEN_FINISH_BOTH_WAYS(sum) LICHEN_FINISH_HIGH(sum) LICHEN_FINISH_AWAY(sum) LICHEN_FINISH_SHIFT(sum)
#define LICHEN_FINISH(one)                                                                                              \
    LICHEN_FINISH_SPLIT(0) LICHEN_FINISH_SPLIT(1) LICHEN_FINISH_SPLIT(2) LICHEN_FINISH_SPLIT(3)                         \
    "ldr %[zero], %[zero_point]\n\t"                                                                                    \
    "ldrd %[doubled], %[shift], [%[after]]\n\t"                                                                         \
    one("%[a0]") one("%[a1]") one("%[a2]") one("%[a3]")                                                                 \
    "ldr %[bias], [%[after], #8]\n\t"                                                                                   \
    LICHEN_FINISH_SECOND(0) LICHEN_FINISH_SECOND(1) LICHEN_FINISH_SECOND(2) LICHEN_FINISH_SECOND(3)                     \
    "ldrd %[doubled], %[shift], [%[after], #12]\n\t"                                                                    \
    one("%[both0]") one("%[both1]") one("%[both2]") one("%[both3]")

/* From sums to int8. `after` are the weights behind those of the patch; `finish` is known at compile time, and not LICHEN_ANY_RATIO. */
LICHEN_INLINE void lichen_finish4_dsp(lichen_sums_dsp *sums, const int32_t *after, const int32_t *zero_point, int finish)
{
    int32_t doubled, shift, zero, bias;
#define LICHEN_FINISH_OPERANDS                                                                                          \
    [a0] "+r"(sums->a[0]), [a1] "+r"(sums->a[1]), [a2] "+r"(sums->a[2]), [a3] "+r"(sums->a[3]), [both0] "+r"(sums->both[0]), \
        [both1] "+r"(sums->both[1]), [both2] "+r"(sums->both[2]), [both3] "+r"(sums->both[3]), [doubled] "=&r"(doubled),   \
        [shift] "=&r"(shift), [zero] "=&r"(zero), [bias] "=&r"(bias)                                                     \
        : [after] "r"(after), [zero_point] "m"(*zero_point)                                                              \
        : "memory"
    if (finish == LICHEN_CLAMPED_AT_ZERO) {
        __asm__(LICHEN_FINISH(LICHEN_FINISH_UP) : LICHEN_FINISH_OPERANDS);
    } else {
        __asm__(LICHEN_FINISH(LICHEN_FINISH_BOTH_WAYS) : LICHEN_FINISH_OPERANDS);
    }
}

#else

LICHEN_INLINE int32_t lichen_finish_dsp(lichen_scale_dsp scale, int32_t sum, int32_t zero, int finish)
{
    return lichen_ssat8(lichen_requantise_dsp(scale, sum, zero, finish));
}

LICHEN_INLINE void lichen_finish4_dsp(lichen_sums_dsp *sums, const int32_t *after, const int32_t *zero_point, int finish)
{
    const lichen_scale_dsp first = lichen_scale_behind_dsp(after), second = lichen_scale_behind_dsp(after + 3);
    for (int j = 0; j < 4; j++) {
        const int32_t b = after[2] + lichen_second_sum_dsp(sums->a[j], sums->both[j]);
        sums->a[j] = lichen_finish_dsp(first, sums->a[j], *zero_point, finish);
        sums->both[j] = lichen_finish_dsp(second, b, *zero_point, finish);
    }
}

#endif

LICHEN_INLINE void lichen_finish4_any_dsp(const lichen_products_dsp *p, lichen_sums_dsp *sums, const int32_t *after)
{
    for (int j = 0; j < 4; j++) {
        const int32_t b = after[2] + lichen_second_sum_dsp(sums->a[j], sums->both[j]);
        sums->a[j] = lichen_finish_any_dsp(p, after, sums->a[j]);
        sums->both[j] = lichen_finish_any_dsp(p, after + 3, b);
    }
}

/* All channels of four output pixels, of which the later may be one and the same: the first are stored last. */
LICHEN_LOOP void lichen_tile4_dsp(const lichen_products_dsp *p, const uint32_t *x, int8_t *const *pixels)
{
    const uint32_t *const end = x + 4 * p->words;
    const int32_t *weights = p->weights;
    const int finish = p->finish;
    const int32_t zero = p->zero;
    int8_t *out[4];
    int left = p->channels;
    out[0] = pixels[0];
    out[1] = pixels[1];
    out[2] = pixels[2];
    out[3] = pixels[3];
    for (;; weights += 5) {
        lichen_sums_dsp sums;
        weights = lichen_products4_dsp(&sums, x, &end, weights + 1, *weights);
        if (finish == LICHEN_BELOW_HALF || (LICHEN_SHORT && !LICHEN_IS_ANY_RATIO(finish))) {
            lichen_finish4_dsp(&sums, weights, &zero, LICHEN_BELOW_HALF);
        } else if (!LICHEN_IS_ANY_RATIO(finish)) {
            lichen_finish4_dsp(&sums, weights, &zero, LICHEN_CLAMPED_AT_ZERO);
        } else {
            lichen_sums_dsp indexed = sums; /* a copy, so that the others stay in registers */
            lichen_finish4_any_dsp(p, &indexed, weights);
            sums = indexed;
        }
        *out[3]++ = (int8_t)sums.a[3];
        *out[2]++ = (int8_t)sums.a[2];
        *out[1]++ = (int8_t)sums.a[1];
        *out[0]++ = (int8_t)sums.a[0];
        if (left == 1) {
            return;
        }
        *out[3]++ = (int8_t)sums.both[3];
        *out[2]++ = (int8_t)sums.both[2];
        *out[1]++ = (int8_t)sums.both[1];
        *out[0]++ = (int8_t)sums.both[0];
        left -= 2;
        if (left == 0) {
            return;
        }
    }
}

#endif
