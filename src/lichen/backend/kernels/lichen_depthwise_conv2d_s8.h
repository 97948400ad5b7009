/* int8 depthwise convolution, NHWC, per-channel scales: output channel o sees input channel o / depth_multiplier only.
   weights: without a depth multiplier blocks of four channels [out_c / 4][kernel_h][kernel_w][4], then the remaining channels one by
   one [..][kernel_h][kernel_w]; with one, all channels one by one.
   bias: [out_c], with -in_zero * (sum of the channel's weights) folded in; so a tap outside the input counts as in_zero. */
#ifndef LICHEN_DEPTHWISE_CONV2D_S8_H
#define LICHEN_DEPTHWISE_CONV2D_S8_H

#include "lichen_channels_s8.h"
#include "lichen_view.h"
#include "lichen_window.h"

typedef struct {
    int16_t in_h, in_w, in_c;
    int16_t out_w, out_c;
    int16_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
    int16_t depth_multiplier, in_zero, out_zero, low, high;
} lichen_depthwise_conv2d_s8_params;

/* acc[b] += x[b] * w[b]. */
LICHEN_INLINE void lichen_depthwise_tap_s8(int32_t *acc, const int8_t *x, const int8_t *w, int width)
{
    acc[0] += x[0] * lichen_flash_s8(w);
    if (width == 4) {
        acc[1] += x[1] * lichen_flash_s8(w + 1);
        acc[2] += x[2] * lichen_flash_s8(w + 2);
        acc[3] += x[3] * lichen_flash_s8(w + 3);
    }
}

/* n taps whose inputs lie `step` apart. Unrolled for the usual three. */
LICHEN_INLINE void lichen_depthwise_taps_s8(int32_t *acc, const int8_t *x, int step, const int8_t *w, int n, int width)
{
#if !defined(__AVR__)
    for (; n >= 3; n -= 3, x += 3 * step, w += 3 * width) {
        lichen_depthwise_tap_s8(acc, x, w, width);
        lichen_depthwise_tap_s8(acc, x + step, w + width, width);
        lichen_depthwise_tap_s8(acc, x + 2 * step, w + 2 * width, width);
    }
#endif
    for (; n > 0; n--, x += step, w += width) {
        lichen_depthwise_tap_s8(acc, x, w, width);
    }
}

/* `width` output channels, of which `c` is the first, of the pixel whose window starts at input (y, x). */
LICHEN_INLINE void lichen_depthwise_conv2d_s8_block(const lichen_depthwise_conv2d_s8_params *p, lichen_view_s8 in, int y, int x,
    lichen_span inside, int8_t *out, const int8_t *w, lichen_channels_s8 channels, int c, int width)
{
    const int step = p->dilation_w * p->in_c;
    const int first = x * p->in_c + inside.begin * step + (p->depth_multiplier == 1 ? c : c / p->depth_multiplier);
    int32_t acc[4];
    lichen_channels_begin_s8(channels, acc, c, width);
    for (int ky = 0; ky < p->kernel_h; ky++, y += p->dilation_h, w += p->kernel_w * width) {
        int from = p->kernel_w;
        if (y >= 0 && y < p->in_h) {
            const int8_t *row = lichen_row_s8(in, y, p->in_w * p->in_c);
            lichen_depthwise_taps_s8(acc, row + first, step, w + inside.begin * width, inside.end - inside.begin, width);
            lichen_dot_constant_s8(acc, (int8_t)p->in_zero, w, inside.begin, width);
            from = inside.end;
        } else {
            from = 0;
        }
        lichen_dot_constant_s8(acc, (int8_t)p->in_zero, w + from * width, p->kernel_w - from, width);
    }
    lichen_channels_end_s8(channels, acc, out, c, width);
}

LICHEN_KERNEL void lichen_depthwise_conv2d_s8(const lichen_depthwise_conv2d_s8_params *p, lichen_view_s8 in, lichen_view_s8 out,
    const int8_t *weights, const int32_t *bias, const int32_t *multiplier, const int8_t *shift, int row_begin, int row_end)
{
    const lichen_channels_s8 channels = {bias, multiplier, shift, p->out_zero, p->low, p->high};
    const int taps = p->kernel_h * p->kernel_w;
    const int blocked = p->depth_multiplier == 1 ? p->out_c - p->out_c % 4 : 0;
    for (int oy = row_begin; oy < row_end; oy++) {
        int8_t *pixel = lichen_row_s8(out, oy, p->out_w * p->out_c);
        const int y = oy * p->stride_h - p->pad_top;
        for (int ox = 0; ox < p->out_w; ox++, pixel += p->out_c) {
            const int x = ox * p->stride_w - p->pad_left;
            const lichen_span inside = lichen_taps_inside(x, p->dilation_w, p->kernel_w, p->in_w);
            const int8_t *w = weights;
            int c = 0;
            for (; c < blocked; c += 4, w += 4 * taps) {
                lichen_depthwise_conv2d_s8_block(p, in, y, x, inside, pixel + c, w, channels, c, 4);
            }
            for (; c < p->out_c; c++, w += taps) {
                lichen_depthwise_conv2d_s8_block(p, in, y, x, inside, pixel + c, w, channels, c, 1);
            }
        }
    }
}

#endif
