/* Two neighbouring output pixels at once with the weights of all channels: where there is no room for four patches (lichen_tile4_dsp.h).

   What both windows see is widened once, column by column, so that a pixel in both takes no room twice, and each patch is a run. Two words of
   weights (four elements of channels A and B) are loaded by one LDRD, two words of each patch by another: 13 instructions for 16 products,
   0.83 a product with the loop's own. */
#ifndef LICHEN_TILE2_DSP_H
#define LICHEN_TILE2_DSP_H

#include "lichen_products_dsp.h"

#if LICHEN_HAS_DSP && defined(__OPTIMIZE__)

#define LICHEN_TWO_PATCHES(x0, x1, w)                             \
    "smlad %[both0], %[" x0 "], %[" w "], %[both0]\n\t"           \
    "smlad %[both1], %[" x1 "], %[" w "], %[both1]\n\t"           \
    "sxtb16 %[" w "], %[" w "]\n\t"                               \
    "smlad %[a0], %[" x0 "], %[" w "], %[a0]\n\t"                 \
    "smlad %[a1], %[" x1 "], %[" w "], %[a1]\n\t"
#define LICHEN_TWO_PATCHES_4                                      \
    "ldrd %[w0], %[w1], [%[weights]], #8\n\t"                     \
    "ldrd %[x0], %[x2], [%[x]], #8\n\t"                           \
    "ldrd %[x1], %[x3], [%[next]], #8\n\t" LICHEN_TWO_PATCHES("x0", "x1", "w0") LICHEN_TWO_PATCHES("x2", "x3", "w1")
#define LICHEN_TWO_PATCHES_16 LICHEN_TWO_PATCHES_4 LICHEN_TWO_PATCHES_4 LICHEN_TWO_PATCHES_4 LICHEN_TWO_PATCHES_4

/* Adds the products of two patches, `words` words each, an even number; returns the weights behind. */
LICHEN_INLINE const int32_t *lichen_products2_dsp(
    int32_t *a, int32_t *both, const uint32_t *x, const uint32_t *next, int words, const int32_t *weights)
{
    const int32_t *const end = weights + words;
    uint32_t x0, x1, x2, x3, w0, w1;
    __asm__("b 2f\n"
            "1:\n\t" LICHEN_TWO_PATCHES_4
            "2:\n\t"
            "sub %[w0], %[end], %[weights]\n\t"
            "tst %[w0], #56\n\t"
            "bne 1b\n\t"
            "cmp %[weights], %[end]\n\t"
            "beq 4f\n"
            "3:\n\t" LICHEN_TWO_PATCHES_16 LICHEN_TWO_PATCHES_16
            "cmp %[weights], %[end]\n\t"
            "bne 3b\n"
            "4:"
            : [a0] "+r"(a[0]), [a1] "+r"(a[1]), [both0] "+r"(both[0]), [both1] "+r"(both[1]), [x] "+r"(x), [next] "+r"(next),
            [weights] "+r"(weights), [x0] "=&r"(x0), [x1] "=&r"(x1), [x2] "=&r"(x2), [x3] "=&r"(x3), [w0] "=&r"(w0), [w1] "=&r"(w1)
            : [end] "r"(end)
            : "cc", "memory");
    return weights;
}

#else

LICHEN_INLINE const int32_t *lichen_products2_dsp(
    int32_t *a, int32_t *both, const uint32_t *x, const uint32_t *next, int words, const int32_t *weights)
{
    for (const int32_t *const end = weights + words; weights < end; weights++, x++, next++) {
        const uint32_t w = (uint32_t)*weights, wa = lichen_sxtb16(w);
        a[0] = lichen_smlad(*x, wa, a[0]);
        a[1] = lichen_smlad(*next, wa, a[1]);
        both[0] = lichen_smlad(*x, w, both[0]);
        both[1] = lichen_smlad(*next, w, both[1]);
    }
    return weights;
}

#endif

/* The outputs of a channel, from sums of both pixels. `scale` is where its scale lies. */
LICHEN_INLINE void lichen_finish2_dsp(const lichen_products_dsp *p, const int32_t *scale, int32_t *sums)
{
    const int32_t first = lichen_finish1_dsp(p, scale, sums[0]);
    sums[1] = lichen_finish1_dsp(p, scale, sums[1]);
    sums[0] = first;
}

/* All channels of the two pixels at `out`, the second `step` elements behind the first; 0 if there is but one. The second patch begins `apart`
   words behind the first, an even number. Words of weights are in the order of columns. */
LICHEN_LOOP void lichen_tile2_dsp(const lichen_products_dsp *p, const uint32_t *x, int apart, int8_t *out, int step)
{
    const int32_t *weights = p->weights;
    for (int left = p->channels; left > 0; left -= 2, weights += 5) {
        int32_t a[2], both[2], b[2];
        a[0] = a[1] = both[0] = both[1] = *weights++;
        weights = lichen_products2_dsp(a, both, x, x + apart, p->words, weights);
        b[0] = weights[2] + lichen_second_sum_dsp(a[0], both[0]);
        b[1] = weights[2] + lichen_second_sum_dsp(a[1], both[1]);
        lichen_finish2_dsp(p, weights, a);
        lichen_finish2_dsp(p, weights + 3, b);
        out[step] = (int8_t)a[1];
        *out++ = (int8_t)a[0];
        if (left > 1) {
            out[step] = (int8_t)b[1];
            *out++ = (int8_t)b[0];
        }
    }
}

#endif
