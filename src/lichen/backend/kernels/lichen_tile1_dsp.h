/* One widened patch with the weights of all channels: dense layers, and pixels that are left over.

   Two pairs of channels share the loads of the patch: 15 instructions for 16 products, 1.0 a product with the loop's own. */
#ifndef LICHEN_TILE1_DSP_H
#define LICHEN_TILE1_DSP_H

#include "lichen_products_dsp.h"

/* How many pairs of channels share the loads of a patch: one where flash is dearer. */
#if defined(LICHEN_OPTIMIZE_SPEED)
#define LICHEN_DOT_PAIRS 2
#else
#define LICHEN_DOT_PAIRS 1
#endif

#if LICHEN_HAS_DSP && defined(__OPTIMIZE__) && defined(LICHEN_OPTIMIZE_SPEED)

/* Four elements of one patch for one pair of channels. */
#define LICHEN_DOT_PAIR(weights, a, both)        \
    "ldrd %[w0], %[w1], [%[" weights "]], #8\n\t" \
    "smlad %[" both "], %[x0], %[w0], %[" both "]\n\t" \
    "smlad %[" both "], %[x1], %[w1], %[" both "]\n\t" \
    "sxtb16 %[w0], %[w0]\n\t" \
    "sxtb16 %[w1], %[w1]\n\t" \
    "smlad %[" a "], %[x0], %[w0], %[" a "]\n\t" \
    "smlad %[" a "], %[x1], %[w1], %[" a "]\n\t"
#define LICHEN_DOT_X "ldrd %[x0], %[x1], [%[x]], #8\n\t"
#define LICHEN_DOT_ONE LICHEN_DOT_X LICHEN_DOT_PAIR("weights", "a", "both")
#define LICHEN_DOT_TWO LICHEN_DOT_ONE LICHEN_DOT_PAIR("next", "a_next", "both_next")

/* A loop over words, an even number, eight elements a turn. */
#define LICHEN_DOT_LOOP(four)    \
    "tst %[words], #2\n\t"       \
    "beq 1f\n\t" four            \
    "cmp %[x], %[end]\n\t"       \
    "beq 2f\n"                   \
    "1:\n\t" four four           \
    "cmp %[x], %[end]\n\t"       \
    "bne 1b\n"                   \
    "2:"

/* Adds the products of `words` words with one pair of channels. */
LICHEN_INLINE void lichen_dot1_dsp(const uint32_t *x, int words, const int32_t *weights, int32_t *a, int32_t *both)
{
    const uint32_t *const end = x + words;
    uint32_t x0, x1, w0, w1;
    __asm__(LICHEN_DOT_LOOP(LICHEN_DOT_ONE)
        : [a] "+r"(*a), [both] "+r"(*both), [x] "+r"(x), [weights] "+r"(weights), [x0] "=&r"(x0), [x1] "=&r"(x1), [w0] "=&r"(w0),
        [w1] "=&r"(w1)
        : [end] "r"(end), [words] "r"(words)
        : "cc", "memory");
}

/* The same with two pairs. */
LICHEN_INLINE void lichen_dot2_dsp(const uint32_t *x, int words, const int32_t *weights, const int32_t *next, int32_t *a, int32_t *both)
{
    const uint32_t *const end = x + words;
    uint32_t x0, x1, w0, w1;
    __asm__(LICHEN_DOT_LOOP(LICHEN_DOT_TWO)
        : [a] "+r"(a[0]), [both] "+r"(both[0]), [a_next] "+r"(a[1]), [both_next] "+r"(both[1]), [x] "+r"(x), [weights] "+r"(weights),
        [next] "+r"(next), [x0] "=&r"(x0), [x1] "=&r"(x1), [w0] "=&r"(w0), [w1] "=&r"(w1)
        : [end] "r"(end), [words] "r"(words)
        : "cc", "memory");
}

#else

LICHEN_INLINE void lichen_dot1_dsp(const uint32_t *x, int words, const int32_t *weights, int32_t *a, int32_t *both)
{
    int32_t sum = *a, sum_both = *both;
    for (const uint32_t *const end = x + words; x < end; x += 2, weights += 2) {
        const uint32_t w0 = (uint32_t)weights[0], w1 = (uint32_t)weights[1];
        sum_both = lichen_smlad(x[0], w0, sum_both);
        sum = lichen_smlad(x[0], lichen_sxtb16(w0), sum);
        sum_both = lichen_smlad(x[1], w1, sum_both);
        sum = lichen_smlad(x[1], lichen_sxtb16(w1), sum);
    }
    *a = sum;
    *both = sum_both;
}

LICHEN_INLINE void lichen_dot2_dsp(const uint32_t *x, int words, const int32_t *weights, const int32_t *next, int32_t *a, int32_t *both)
{
    lichen_dot1_dsp(x, words, weights, a, both);
    lichen_dot1_dsp(x, words, next, a + 1, both + 1);
}

#endif

/* All channels of one output pixel, two pairs at a time. */
LICHEN_LOOP void lichen_tile1_dsp(const lichen_products_dsp *p, const uint32_t *x, int8_t *out)
{
    const int words = p->words, stride = words + 6;
    const int32_t *weights = p->weights;
    int left = p->channels;
    while (left > 0) {
        const int pairs = LICHEN_DOT_PAIRS == 2 && left > 2 ? 2 : 1;
        int32_t a[2], b[2] = {0, 0};
        a[0] = weights[0];
        a[1] = pairs == 2 ? weights[stride] : 0;
        for (int begin = 0; begin < words; begin += p->part) {
            const int count = words - begin < p->part ? words - begin : p->part;
            const int32_t *const from = weights + 1 + begin;
            int32_t both[2];
            both[0] = a[0];
            both[1] = a[1];
            if (pairs == 2) {
                lichen_dot2_dsp(x + begin, count, from, from + stride, a, both);
                b[1] += lichen_second_sum_dsp(a[1], both[1]);
            } else {
                lichen_dot1_dsp(x + begin, count, from, a, both);
            }
            b[0] += lichen_second_sum_dsp(a[0], both[0]);
        }
        for (int i = 0; i < pairs; i++, weights += stride) {
            const int32_t *const after = weights + 1 + words;
            *out++ = lichen_finish1_dsp(p, after, a[i]);
            if (--left > 0) {
                *out++ = lichen_finish1_dsp(p, after + 3, after[2] + b[i]);
                left--;
            }
        }
    }
}

#endif
