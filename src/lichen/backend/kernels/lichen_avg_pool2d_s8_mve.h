/* int8 average pooling for cores with Helium, NHWC: the bytes of lichen_avg_pool2d_s8.h. Sums are in int16, which hold windows of up to 255 taps.
   Sixteen channels go through a window at once, in six instructions a tap and seven a row; those that are left over eight by eight, in
   five a tap. */
#ifndef LICHEN_AVG_POOL2D_S8_MVE_H
#define LICHEN_AVG_POOL2D_S8_MVE_H

#include "lichen_avg_pool2d_s8.h"
#include "lichen_dsp.h"
#include "lichen_pool_window_mve.h"

typedef lichen_avg_pool2d_s8_params lichen_avg_pool2d_s8_mve_params;

/* How sums become results. */
typedef struct {
    int32_t share; /* 2^30 / taps, rounded down, and 1 more */
    int low, high;
} lichen_means_mve;

#if LICHEN_HAS_MVE
/* The means of eight sums. VQRDMULH rounds halves upwards; what `share` is too large by makes that away from zero, and is too little for
   anything else. */
LICHEN_INLINE int16x8_t lichen_means8_mve(int16x8_t sums, lichen_means_mve to)
{
    const int32x4_t even = vqrdmulhq_n_s32(vshllbq_n_s16(sums, 1), to.share);
    const int32x4_t odd = vqrdmulhq_n_s32(vshlltq_n_s16(sums, 1), to.share);
    const int16x8_t means = vmovntq_s32(vreinterpretq_s16_s32(even), odd);
    return vminq_s16(vmaxq_s16(means, vdupq_n_s16((int16_t)to.low)), vdupq_n_s16((int16_t)to.high));
}

/* Channels c to c + 15 of a pixel. */
LICHEN_INLINE void lichen_avg_of16_mve(const lichen_taps_mve *taps, int c, int8_t *out, lichen_means_mve to)
{
    int16x8_t first = vdupq_n_s16(0), second = vdupq_n_s16(0);
    const int8_t *tap = taps->tap + c;
    int rows = taps->rows;
    __asm__ volatile(LICHEN_EACH_TAP_MVE(
        "vldrb.s16 q0, [%[tap]]\n\t"
        "vldrb.s16 q1, [%[tap], #8]\n\t"
        "vadd.i16 %q[first], %q[first], q0\n\t"
        "vadd.i16 %q[second], %q[second], q1\n\t")
        : [first] "+w"(first), [second] "+w"(second), [tap] "+&l"(tap), [rows] "+&r"(rows)
        : LICHEN_TAPS_MVE(taps)
        : "q0", "q1", "lr", "cc", "memory");
    vstrbq_s16(out + c, lichen_means8_mve(first, to));
    vstrbq_s16(out + c + 8, lichen_means8_mve(second, to));
}

/* Channels c to c + count - 1 of a pixel, or to c + 7 if count is more than 8. */
LICHEN_INLINE void lichen_avg_of8_mve(const lichen_taps_mve *taps, int c, int count, int8_t *out, lichen_means_mve to)
{
    const mve_pred16_t some = vctp16q((uint32_t)count);
    int16x8_t sums = vdupq_n_s16(0);
    const int8_t *tap = taps->tap + c;
    int rows = taps->rows;
    __asm__ volatile(LICHEN_EACH_TAP_MVE(
        "vpst\n\t"
        "vldrbt.s16 q0, [%[tap]]\n\t"
        "vadd.i16 %q[sums], %q[sums], q0\n\t")
        : [sums] "+w"(sums), [tap] "+&l"(tap), [rows] "+&r"(rows)
        : LICHEN_TAPS_MVE(taps), [some] "Up"(some)
        : "q0", "lr", "cc", "memory");
    vstrbq_p_s16(out + c, lichen_means8_mve(sums, to), some);
}
#endif

/* All channels of a pixel. */
LICHEN_INLINE void lichen_avg_pixel_mve(const lichen_pool_window *window, int8_t *out, lichen_means_mve to)
{
#if LICHEN_HAS_MVE
    const lichen_taps_mve taps = lichen_taps_of_mve(window);
    int c = 0;
    for (; c + 16 <= window->channels; c += 16) {
        lichen_avg_of16_mve(&taps, c, out, to);
    }
    for (; c < window->channels; c += 8) {
        lichen_avg_of8_mve(&taps, c, window->channels - c, out, to);
    }
#else
    for (int c = 0; c < window->channels; c++) {
        int16_t sum = 0;
        for (int row = 0; row < window->rows; row++) {
            const int8_t *tap = lichen_pool_row(window, row) + c;
            for (int n = window->columns; n > 0; n--, tap += window->channels) {
                sum = (int16_t)(sum + *tap);
            }
        }
        out[c] = lichen_clamp_s8(lichen_smmulr(sum * 4, to.share), to.low, to.high);
    }
#endif
}

/* A row of results, whose windows begin at input row y. */
LICHEN_LOOP void lichen_avg_row_mve(const lichen_avg_pool2d_s8_mve_params *p, lichen_view_s8 in, int8_t *out, int y)
{
    lichen_pool_window window = lichen_pool_window_of_mve(in, (int)p->in_length, p->in_c, y, p->kernel_h, p->in_h);
    lichen_means_mve to;
    to.low = p->low;
    to.high = p->high;
    for (int ox = 0; ox < p->out_w; ox++) {
        lichen_pool_window_to_column(&window, ox * p->stride_w - p->pad_left, p->kernel_w, p->in_w);
        to.share = ((int32_t)1 << 30) / (window.rows * window.columns) + 1;
        lichen_avg_pixel_mve(&window, out + ox * p->in_c, to);
    }
}

LICHEN_KERNEL void lichen_avg_pool2d_s8_mve(
    const lichen_avg_pool2d_s8_mve_params *p, lichen_view_s8 in, lichen_view_s8 out, int row_begin, int row_end)
{
    for (int oy = row_begin; oy < row_end; oy++) {
        lichen_avg_row_mve(p, in, lichen_row_s8(out, oy, (int)p->out_length), oy * p->stride_h - p->pad_top);
    }
}

#endif
