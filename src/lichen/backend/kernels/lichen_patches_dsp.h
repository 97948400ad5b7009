/* Patches of the input, widened to int16 for SMLAD: what an output pixel of a convolution multiplies with its weights, in the order of the
   weights (ops/conv2d_dsp.py), padding filled in.

   A run is what one row of the kernel covers, kernel_w * in_c elements. SXTB16 makes two words of each four of them, (x0, x2) and (x1, x3);
   up to three elements at the end become words (x0, x1) and (x2, 0). Words of `step` patches lie interleaved, so that one load brings those
   of two patches: word i of patch j at x[i * step + j]. About 1.5 instructions an element. */
#ifndef LICHEN_PATCHES_DSP_H
#define LICHEN_PATCHES_DSP_H

#include "lichen_dsp.h"
#include "lichen_view.h"
#include "lichen_window.h"

/* Four elements. */
LICHEN_INLINE void lichen_widen4_dsp(uint32_t *to, const int8_t *from, int step)
{
    const uint32_t word = lichen_load_word(from);
    to[0] = lichen_sxtb16(word);
    to[step] = lichen_sxtb16_odd(word);
}

/* n elements from any address; returns where the next go. */
LICHEN_INLINE uint32_t *lichen_widen_dsp(uint32_t *to, const int8_t *from, int n, int step)
{
    for (; !LICHEN_SHORT && n >= 16; n -= 16, from += 16, to += 8 * step) {
        lichen_widen4_dsp(to, from, step);
        lichen_widen4_dsp(to + 2 * step, from + 4, step);
        lichen_widen4_dsp(to + 4 * step, from + 8, step);
        lichen_widen4_dsp(to + 6 * step, from + 12, step);
    }
    for (; n >= 4; n -= 4, from += 4, to += 2 * step) {
        lichen_widen4_dsp(to, from, step);
    }
    if (n >= 2) {
        *to = lichen_lanes(from[0], from[1]);
        n -= 2;
        from += 2;
        to += step;
    }
    if (n > 0) {
        *to = lichen_lanes(*from, 0);
        to += step;
    }
    return to;
}

#if defined(LICHEN_OPTIMIZE_SPEED)

LICHEN_LOOP uint32_t *lichen_widen_of4_dsp(uint32_t *to, const int8_t *from, int n)
{
    return lichen_widen_dsp(to, from, n, 4);
}

LICHEN_LOOP uint32_t *lichen_widen_of1_dsp(uint32_t *to, const int8_t *from, int n)
{
    return lichen_widen_dsp(to, from, n, 1);
}

LICHEN_INLINE uint32_t *lichen_widen_run_dsp(uint32_t *to, const int8_t *from, int n, int step)
{
    return step == 4 ? lichen_widen_of4_dsp(to, from, n) : lichen_widen_of1_dsp(to, from, n);
}

#else

LICHEN_LOOP uint32_t *lichen_widen_run_dsp(uint32_t *to, const int8_t *from, int n, int step)
{
    return lichen_widen_dsp(to, from, n, step);
}

#endif

/* Runs of four pixels, `apart` from each other in the input. */
LICHEN_LOOP uint32_t *lichen_widen_tile_dsp(uint32_t *to, const int8_t *from, int apart, int n)
{
#if LICHEN_HAS_DSP && defined(__OPTIMIZE__)
    if (n >= 4) {
        const int8_t *const end = from + (n & ~3);
        uint32_t a, b, c, d, even0, even1;
        __asm__("1:\n\t"
            "ldr %[a], [%[from]]\n\t"
            "ldr %[b], [%[from], %[apart]]\n\t"
            "ldr %[c], [%[from], %[apart], lsl #1]\n\t"
            "ldr %[d], [%[from], %[apart3]]\n\t"
            "sxtb16 %[even0], %[a]\n\t"
            "sxtb16 %[even1], %[b]\n\t"
            "strd %[even0], %[even1], [%[to]], #16\n\t"
            "sxtb16 %[a], %[a], ror #8\n\t"
            "sxtb16 %[b], %[b], ror #8\n\t"
            "strd %[a], %[b], [%[to]], #16\n\t"
            "sxtb16 %[even0], %[c]\n\t"
            "sxtb16 %[even1], %[d]\n\t"
            "strd %[even0], %[even1], [%[to], #-24]\n\t"
            "sxtb16 %[c], %[c], ror #8\n\t"
            "sxtb16 %[d], %[d], ror #8\n\t"
            "strd %[c], %[d], [%[to], #-8]\n\t"
            "adds %[from], #4\n\t"
            "cmp %[from], %[end]\n\t"
            "bne 1b"
            : [to] "+r"(to), [from] "+l"(from), [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d), [even0] "=&r"(even0),
            [even1] "=&r"(even1)
            : [apart] "r"(apart), [apart3] "r"(3 * apart), [end] "r"(end)
            : "cc", "memory");
        n &= 3;
    }
#endif
    for (; n >= 4; n -= 4, from += 4, to += 8) {
        const uint32_t a = lichen_load_word(from), b = lichen_load_word(from + apart);
        const uint32_t c = lichen_load_word(from + 2 * apart), d = lichen_load_word(from + 3 * apart);
        to[0] = lichen_sxtb16(a);
        to[1] = lichen_sxtb16(b);
        to[2] = lichen_sxtb16(c);
        to[3] = lichen_sxtb16(d);
        to[4] = lichen_sxtb16_odd(a);
        to[5] = lichen_sxtb16_odd(b);
        to[6] = lichen_sxtb16_odd(c);
        to[7] = lichen_sxtb16_odd(d);
    }
    for (; n > 0; n -= 2, from += 2, to += 4) {
        for (int j = 0; j < 4; j++) {
            to[j] = lichen_lanes(from[j * apart], n > 1 ? from[j * apart + 1] : 0);
        }
    }
    return to;
}

/* The same of a row outside the input. */
LICHEN_LOOP uint32_t *lichen_fill_tile_dsp(uint32_t *to, int in_zero, int n)
{
    const uint32_t zeros = lichen_lanes(in_zero, in_zero);
    for (; n > 0; n -= 2) {
        for (int j = 0; j < 4; j++) {
            *to++ = zeros;
        }
    }
    return to;
}

/* A run that reaches beyond the input's columns, or whose taps lie apart, or whose row is outside (NULL), piece by piece: as many taps as
   lie beside each other, inside or outside. Where pieces would not be whole fours, they are put together in `run` first. */
LICHEN_LOOP uint32_t *lichen_widen_border_dsp(
    uint32_t *to, int8_t *run, const int8_t *row, int x, int apart, int taps, int in_w, int in_c, int in_zero, int step)
{
    const int is_of_fours = in_c % 4 == 0, n = taps * in_c;
    const uint32_t zeros = lichen_lanes(in_zero, in_zero);
    int8_t *end = run;
    while (taps > 0) {
        const int is_inside = row != NULL && x >= 0 && x < in_w;
        const int most = row == NULL || x >= in_w ? taps : x < 0 ? -x : in_w - x;
        const int count = apart > 1 ? 1 : most < taps ? most : taps, bytes = count * in_c;
        if (is_inside) {
            const int8_t *const from = row + x * in_c;
            if (is_of_fours) {
                to = lichen_widen_run_dsp(to, from, bytes, step);
            } else {
                memcpy(end, from, (size_t)bytes);
            }
        } else if (is_of_fours) {
            for (int i = 0; i < bytes; i += 2, to += step) {
                *to = zeros;
            }
        } else {
            memset(end, in_zero, (size_t)bytes);
        }
        end += is_of_fours ? 0 : bytes;
        taps -= count;
        x += count * apart;
    }
    return is_of_fours ? to : lichen_widen_run_dsp(to, run, n, step);
}

#endif
