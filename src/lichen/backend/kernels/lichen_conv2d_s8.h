/* int8 convolution, NHWC, per-channel scales. Four output channels share each load of the input.
   weights: blocks of four output channels [out_c / 4][kernel_h][kernel_w][in_c][4], then the remaining channels one by one [..][in_c].
   bias: [out_c], with -in_zero * (sum of the channel's weights) folded in; so a tap outside the input counts as in_zero. */
#ifndef LICHEN_CONV2D_S8_H
#define LICHEN_CONV2D_S8_H

#include "lichen_channels_s8.h"
#include "lichen_view.h"

typedef struct {
    int16_t in_h, in_w, in_c;
    int16_t out_w, out_c;
    int16_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
    int16_t in_zero, out_zero, low, high;
} lichen_conv2d_s8_params;

/* `width` output channels, of which `c` is the first, of the pixel whose window starts at input (y, x). */
LICHEN_INLINE void lichen_conv2d_s8_block(const lichen_conv2d_s8_params *p, lichen_view_s8 in, int y, int x, int8_t *out,
    const int8_t *w, lichen_channels_s8 channels, int c, int width)
{
    int32_t acc[4];
    lichen_channels_begin_s8(channels, acc, c, width);
    for (int ky = 0; ky < p->kernel_h; ky++, y += p->dilation_h) {
        const int8_t *row = y >= 0 && y < p->in_h ? lichen_row_s8(in, y, p->in_w * p->in_c) : 0;
        for (int kx = 0, taps; kx < p->kernel_w; kx += taps, w += taps * p->in_c * width) {
            const int ix = x + kx * p->dilation_w;
            taps = 1;
            if (row && ix >= 0 && ix < p->in_w) {
                if (p->dilation_w == 1) { /* the taps up to the right edge lie side by side */
                    taps = p->kernel_w - kx < p->in_w - ix ? p->kernel_w - kx : p->in_w - ix;
                }
                lichen_dot_s8(acc, row + ix * p->in_c, w, taps * p->in_c, width);
            } else {
                lichen_dot_constant_s8(acc, (int8_t)p->in_zero, w, p->in_c, width);
            }
        }
    }
    lichen_channels_end_s8(channels, acc, out, c, width);
}

LICHEN_KERNEL void lichen_conv2d_s8(const lichen_conv2d_s8_params *p, lichen_view_s8 in, lichen_view_s8 out, const int8_t *weights,
    const int32_t *bias, const int32_t *multiplier, const int8_t *shift, int row_begin, int row_end)
{
    const lichen_channels_s8 channels = {bias, multiplier, shift, p->out_zero, p->low, p->high};
    const int taps = p->kernel_h * p->kernel_w * p->in_c;
    for (int oy = row_begin; oy < row_end; oy++) {
        int8_t *pixel = lichen_row_s8(out, oy, p->out_w * p->out_c);
        const int y = oy * p->stride_h - p->pad_top;
        for (int ox = 0; ox < p->out_w; ox++, pixel += p->out_c) {
            const int x = ox * p->stride_w - p->pad_left;
            const int8_t *w = weights;
            int c = 0;
            for (; c + 4 <= p->out_c; c += 4, w += 4 * taps) {
                lichen_conv2d_s8_block(p, in, y, x, pixel + c, w, channels, c, 4);
            }
            for (; c < p->out_c; c++, w += taps) {
                lichen_conv2d_s8_block(p, in, y, x, pixel + c, w, channels, c, 1);
            }
        }
    }
}

#endif
