/* int8 average pooling for cores with DSP instructions, NHWC: the bytes of lichen_avg_pool2d_s8.h. SXTAB16 adds two channels at a time to sums
   in int16, which hold windows of up to 255 taps; eight channels go through a window at once, as long as there are so many, in about 1.2
   instructions a tap of a channel and thirteen more a channel. The last four channels may be computed twice. */
#ifndef LICHEN_AVG_POOL2D_S8_DSP_H
#define LICHEN_AVG_POOL2D_S8_DSP_H

#include "lichen_avg_pool2d_s8.h"
#include "lichen_four_dsp.h"
#include "lichen_pool_window.h"

typedef lichen_avg_pool2d_s8_params lichen_avg_pool2d_s8_dsp_params; /* in_c is at least four */

/* A window, and what its sums are divided by. */
typedef struct {
    lichen_pool_window inside;
    lichen_range_dsp range;
    int32_t share; /* 2^30 / taps, rounded down, and 1 more */
    int is_clamped;
} lichen_avg_window_dsp;

/* The mean of a sum below 2^15. What `share` is too large by rounds halves away from zero, and is too little for anything else. */
LICHEN_INLINE int8_t lichen_mean_dsp(const lichen_avg_window_dsp *window, int32_t sum)
{
    return (int8_t)lichen_smmulr(sum * 4, window->share);
}

/* `even` holds the sums of channels 0 and 2, `odd` those of 1 and 3. */
LICHEN_INLINE void lichen_avg_store_dsp(const lichen_avg_window_dsp *window, int8_t *out, uint32_t even, uint32_t odd)
{
    out[0] = lichen_mean_dsp(window, lichen_low_lane(even));
    out[1] = lichen_mean_dsp(window, lichen_low_lane(odd));
    out[2] = lichen_mean_dsp(window, lichen_high_lane(even));
    out[3] = lichen_mean_dsp(window, lichen_high_lane(odd));
    if (window->is_clamped) {
        lichen_store_word(out, lichen_limit_four_dsp(lichen_load_word(out), window->range));
    }
}

LICHEN_INLINE void lichen_avg_of8_dsp(const lichen_avg_window_dsp *window, int c, int8_t *out)
{
    uint32_t even0 = 0, odd0 = 0, even1 = 0, odd1 = 0;
    for (int row = 0; row < window->inside.rows; row++) {
        const int8_t *tap = lichen_pool_row(&window->inside, row) + c;
        for (int n = window->inside.columns; n > 0; n--, tap += window->inside.channels) {
            const uint32_t x0 = lichen_load_word(tap), x1 = lichen_load_word(tap + 4);
            even0 = lichen_sxtab16(even0, x0);
            odd0 = lichen_sxtab16_odd(odd0, x0);
            even1 = lichen_sxtab16(even1, x1);
            odd1 = lichen_sxtab16_odd(odd1, x1);
        }
    }
    lichen_avg_store_dsp(window, out, even0, odd0);
    lichen_avg_store_dsp(window, out + 4, even1, odd1);
}

LICHEN_INLINE void lichen_avg_of4_dsp(const lichen_avg_window_dsp *window, int c, int8_t *out)
{
    uint32_t even = 0, odd = 0;
    for (int row = 0; row < window->inside.rows; row++) {
        const int8_t *tap = lichen_pool_row(&window->inside, row) + c;
        for (int n = window->inside.columns; n > 0; n--, tap += window->inside.channels) {
            const uint32_t x = lichen_load_word(tap);
            even = lichen_sxtab16(even, x);
            odd = lichen_sxtab16_odd(odd, x);
        }
    }
    lichen_avg_store_dsp(window, out, even, odd);
}

/* All channels of a pixel. */
LICHEN_LOOP void lichen_avg_pixel_dsp(const lichen_avg_window_dsp *window, int8_t *out)
{
    int c = 0;
    for (; c + 8 <= window->inside.channels; c += 8) {
        lichen_avg_of8_dsp(window, c, out + c);
    }
    for (; c < window->inside.channels; c += 4) {
        const int group = lichen_pool_four(&window->inside, c);
        lichen_avg_of4_dsp(window, group, out + group);
    }
}

LICHEN_KERNEL void lichen_avg_pool2d_s8_dsp(
    const lichen_avg_pool2d_s8_dsp_params *p, lichen_view_s8 in, lichen_view_s8 out, int row_begin, int row_end)
{
    lichen_avg_window_dsp window;
    window.inside = lichen_pool_window_of(in, (int)p->in_length, p->in_c);
    window.range = lichen_range_of_dsp(p->low, p->high);
    window.is_clamped = p->low > -128 || p->high < 127;
    for (int oy = row_begin; oy < row_end; oy++) {
        int8_t *result = lichen_row_s8(out, oy, (int)p->out_length);
        lichen_pool_window_to_row(&window.inside, oy * p->stride_h - p->pad_top, p->kernel_h, p->in_h);
        for (int ox = 0; ox < p->out_w; ox++, result += p->in_c) {
            lichen_pool_window_to_column(&window.inside, ox * p->stride_w - p->pad_left, p->kernel_w, p->in_w);
            window.share = ((int32_t)1 << 30) / (window.inside.rows * window.inside.columns) + 1;
            lichen_avg_pixel_dsp(&window, result);
        }
    }
}

#endif
