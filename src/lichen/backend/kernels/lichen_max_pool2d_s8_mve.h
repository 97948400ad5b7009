/* int8 maximum pooling for cores with Helium, NHWC: the bytes of lichen_max_pool2d_s8.h. Sixteen channels go through a window at once, in four
   instructions a tap and seven a row; the channels that are left over likewise, in five a tap. */
#ifndef LICHEN_MAX_POOL2D_S8_MVE_H
#define LICHEN_MAX_POOL2D_S8_MVE_H

#include "lichen_max_pool2d_s8.h"
#include "lichen_pool_window_mve.h"

typedef lichen_max_pool2d_s8_params lichen_max_pool2d_s8_mve_params;

#if LICHEN_HAS_MVE
/* The largest values of channels c to c + 15, and `low`. */
LICHEN_INLINE int8x16_t lichen_max_of16_mve(const lichen_taps_mve *taps, int c, int8x16_t low)
{
    const int8_t *tap = taps->tap + c;
    int rows = taps->rows;
    __asm__ volatile(LICHEN_EACH_TAP_MVE(
        "vldrb.8 q0, [%[tap]]\n\t"
        "vmax.s8 %q[x], %q[x], q0\n\t")
        : [x] "+w"(low), [tap] "+&r"(tap), [rows] "+&r"(rows)
        : LICHEN_TAPS_MVE(taps)
        : "q0", "lr", "cc", "memory");
    return low;
}

/* The same of some of them. */
LICHEN_INLINE int8x16_t lichen_max_of_some_mve(const lichen_taps_mve *taps, int c, int8x16_t low, mve_pred16_t some)
{
    const int8_t *tap = taps->tap + c;
    int rows = taps->rows;
    __asm__ volatile(LICHEN_EACH_TAP_MVE(
        "vpst\n\t"
        "vldrbt.8 q0, [%[tap]]\n\t"
        "vmax.s8 %q[x], %q[x], q0\n\t")
        : [x] "+w"(low), [tap] "+&r"(tap), [rows] "+&r"(rows)
        : LICHEN_TAPS_MVE(taps), [some] "Up"(some)
        : "q0", "lr", "cc", "memory");
    return low;
}
#endif

/* All channels of a pixel. */
LICHEN_INLINE void lichen_max_pixel_mve(const lichen_pool_window *window, int8_t *out, int low, int high)
{
#if LICHEN_HAS_MVE
    const lichen_taps_mve taps = lichen_taps_of_mve(window);
    const int8x16_t lows = vdupq_n_s8((int8_t)low), highs = vdupq_n_s8((int8_t)high);
    int c = 0;
    for (; c + 16 <= window->channels; c += 16) {
        vstrbq_s8(out + c, vminq_s8(lichen_max_of16_mve(&taps, c, lows), highs));
    }
    if (c < window->channels) {
        const mve_pred16_t some = vctp8q((uint32_t)(window->channels - c));
        vstrbq_p_s8(out + c, vminq_s8(lichen_max_of_some_mve(&taps, c, lows, some), highs), some);
    }
#else
    for (int c = 0; c < window->channels; c++) {
        int largest = low;
        for (int row = 0; row < window->rows; row++) {
            const int8_t *tap = lichen_pool_row(window, row) + c;
            for (int n = window->columns; n > 0; n--, tap += window->channels) {
                largest = *tap > largest ? *tap : largest;
            }
        }
        out[c] = (int8_t)(largest < high ? largest : high);
    }
#endif
}

/* A row of results, whose windows begin at input row y. */
LICHEN_LOOP void lichen_max_row_mve(const lichen_max_pool2d_s8_mve_params *p, lichen_view_s8 in, int8_t *out, int y)
{
    lichen_pool_window window = lichen_pool_window_of_mve(in, (int)p->in_length, p->in_c, y, p->kernel_h, p->in_h);
    for (int ox = 0; ox < p->out_w; ox++) {
        lichen_pool_window_to_column(&window, ox * p->stride_w - p->pad_left, p->kernel_w, p->in_w);
        lichen_max_pixel_mve(&window, out + ox * p->in_c, p->low, p->high);
    }
}

LICHEN_KERNEL void lichen_max_pool2d_s8_mve(
    const lichen_max_pool2d_s8_mve_params *p, lichen_view_s8 in, lichen_view_s8 out, int row_begin, int row_end)
{
    for (int oy = row_begin; oy < row_end; oy++) {
        lichen_max_row_mve(p, in, lichen_row_s8(out, oy, (int)p->out_length), oy * p->stride_h - p->pad_top);
    }
}

#endif
