/* int8 maximum pooling for cores with DSP instructions, NHWC: the bytes of lichen_max_pool2d_s8.h. SSUB8 compares four channels and SEL takes
   the larger ones; sixteen channels go through a window at once, as long as there are so many, in about one instruction a tap of a channel
   and five to eight more a channel. The last four channels may be computed twice. */
#ifndef LICHEN_MAX_POOL2D_S8_DSP_H
#define LICHEN_MAX_POOL2D_S8_DSP_H

#include "lichen_four_dsp.h"
#include "lichen_max_pool2d_s8.h"
#include "lichen_pool_window.h"

typedef lichen_max_pool2d_s8_params lichen_max_pool2d_s8_dsp_params; /* in_c is at least four */

/* A window, and the range of its results. */
typedef struct {
    lichen_pool_window inside;
    lichen_range_dsp range;
} lichen_max_window_dsp;

LICHEN_INLINE void lichen_max_store_dsp(const lichen_max_window_dsp *window, int8_t *out, uint32_t x)
{
    lichen_store_word(out, lichen_limit_four_dsp(x, window->range));
}

LICHEN_INLINE void lichen_max_of16_dsp(const lichen_max_window_dsp *window, int c, int8_t *out)
{
    uint32_t x0 = 0x80808080u, x1 = x0, x2 = x0, x3 = x0;
    for (int row = 0; row < window->inside.rows; row++) {
        const int8_t *tap = lichen_pool_row(&window->inside, row) + c;
        for (int n = window->inside.columns; n > 0; n--, tap += window->inside.channels) {
            x0 = lichen_larger_s8(x0, lichen_load_word(tap));
            x1 = lichen_larger_s8(x1, lichen_load_word(tap + 4));
            x2 = lichen_larger_s8(x2, lichen_load_word(tap + 8));
            x3 = lichen_larger_s8(x3, lichen_load_word(tap + 12));
        }
    }
    lichen_max_store_dsp(window, out, x0);
    lichen_max_store_dsp(window, out + 4, x1);
    lichen_max_store_dsp(window, out + 8, x2);
    lichen_max_store_dsp(window, out + 12, x3);
}

LICHEN_INLINE void lichen_max_of4_dsp(const lichen_max_window_dsp *window, int c, int8_t *out)
{
    uint32_t x = 0x80808080u;
    for (int row = 0; row < window->inside.rows; row++) {
        const int8_t *tap = lichen_pool_row(&window->inside, row) + c;
        for (int n = window->inside.columns; n > 0; n--, tap += window->inside.channels) {
            x = lichen_larger_s8(x, lichen_load_word(tap));
        }
    }
    lichen_max_store_dsp(window, out, x);
}

/* All channels of a pixel. */
LICHEN_LOOP void lichen_max_pixel_dsp(const lichen_max_window_dsp *window, int8_t *out)
{
    int c = 0;
    for (; c + 16 <= window->inside.channels; c += 16) {
        lichen_max_of16_dsp(window, c, out + c);
    }
    for (; c < window->inside.channels; c += 4) {
        const int group = lichen_pool_four(&window->inside, c);
        lichen_max_of4_dsp(window, group, out + group);
    }
}

LICHEN_KERNEL void lichen_max_pool2d_s8_dsp(
    const lichen_max_pool2d_s8_dsp_params *p, lichen_view_s8 in, lichen_view_s8 out, int row_begin, int row_end)
{
    lichen_max_window_dsp window;
    window.inside = lichen_pool_window_of(in, (int)p->in_length, p->in_c);
    window.range = lichen_range_of_dsp(p->low, p->high);
    for (int oy = row_begin; oy < row_end; oy++) {
        int8_t *result = lichen_row_s8(out, oy, (int)p->out_length);
        lichen_pool_window_to_row(&window.inside, oy * p->stride_h - p->pad_top, p->kernel_h, p->in_h);
        for (int ox = 0; ox < p->out_w; ox++, result += p->in_c) {
            lichen_pool_window_to_column(&window.inside, ox * p->stride_w - p->pad_left, p->kernel_w, p->in_w);
            lichen_max_pixel_dsp(&window, result);
        }
    }
}

#endif
