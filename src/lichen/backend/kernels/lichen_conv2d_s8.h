/* int8 convolution, NHWC, per-channel scales. Four output channels share each load of the input.
   weights: blocks of four output channels [out_c / 4][kernel_h][kernel_w][in_c][4], then the remaining channels one by one [..][in_c];
   all channels one by one where `block` is 1.
   bias: [out_c], with -in_zero * (sum of the channel's weights) folded in. */
#ifndef LICHEN_CONV2D_S8_H
#define LICHEN_CONV2D_S8_H

#include "lichen_channels_s8.h"
#include "lichen_patch_s8.h"

typedef lichen_window_s8_params lichen_conv2d_s8_params;

/* Output channels [first, end), `weights` being those of `first`, of a block of four if there are blocks. */
LICHEN_INLINE void lichen_conv2d_channels_s8(const lichen_window_s8_params *p, lichen_view_s8 in, lichen_view_s8 out, const int8_t *weights,
    const int32_t *bias, const int32_t *multiplier, const int8_t *shift, int first, int end, int row_begin, int row_end)
{
    const lichen_channels_s8 channels = lichen_channels_of_s8(bias, multiplier, shift, p->out_zero, p->low, p->high);
    const int taps = p->kernel_h * p->kernel_w * p->in_c;
    const int blocked = p->block == 4 ? end - (end - first) % 4 : first;
    int32_t acc[4];
    for (int oy = row_begin; oy < row_end; oy++) {
        int8_t *pixel = lichen_row_s8(out, oy, (int)p->out_length);
        const int y = oy * p->stride_h - p->pad_top;
        for (int ox = 0; ox < p->out_w; ox++, pixel += p->out_c) {
            const lichen_patch_s8 patch = lichen_patch_at_s8(p, in, y, ox * p->stride_w - p->pad_left, p->in_c);
            const int has_padding = lichen_patch_has_padding_s8(&patch);
            const int8_t *w = weights;
            int c = first;
            for (; c < blocked; c += 4, w += 4 * taps) {
                lichen_channels_begin_s8(&channels, acc, c, 4);
                if (has_padding) {
                    lichen_patch_padding4_s8(&patch, w, p->in_zero, acc);
                }
                lichen_patch_dot_s8(&patch, w, p->in_c, acc, 4);
                lichen_channels_end_s8(&channels, acc, pixel + c, c, 4);
            }
            for (; c < end; c++, w += taps) {
                lichen_channels_begin_s8(&channels, acc, c, 1);
                if (has_padding) {
                    lichen_patch_padding1_s8(&patch, w, p->in_zero, acc);
                }
                lichen_patch_dot_s8(&patch, w, p->in_c, acc, 1);
                lichen_channels_end_s8(&channels, acc, pixel + c, c, 1);
            }
        }
    }
}

LICHEN_KERNEL void lichen_conv2d_s8(const lichen_conv2d_s8_params *p, lichen_view_s8 in, lichen_view_s8 out, const int8_t *weights,
    const int32_t *bias, const int32_t *multiplier, const int8_t *shift, int row_begin, int row_end)
{
    lichen_conv2d_channels_s8(p, in, out, weights, bias, multiplier, shift, 0, p->out_c, row_begin, row_end);
}

#endif
