/* int8 convolution, NHWC, per-channel scales. Four output channels share each load of the input.
   weights: blocks of four output channels [out_c / 4][kernel_h][kernel_w][in_c][4], then the remaining channels [..][out_c % 4].
   bias: [out_c], with -in_zero * (sum of the channel's weights) folded in; so a tap outside the input counts as in_zero. */
#ifndef LICHEN_CONV2D_S8_H
#define LICHEN_CONV2D_S8_H

#include "lichen_fixed_point.h"
#include "lichen_view.h"

typedef struct {
    int16_t in_h, in_w, in_c;
    int16_t out_w, out_c;
    int16_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
    int16_t in_zero, out_zero, low, high;
} lichen_conv2d_s8_params;

/* acc[b] += sum over n inputs of x * w, `width` channels interleaved in w. */
LICHEN_INLINE void lichen_conv2d_s8_dot(int32_t *acc, const int8_t *x, const int8_t *w, int n, int width)
{
    for (int i = 0; i < n; i++) {
        const int32_t value = x[i];
        for (int b = 0; b < width; b++) {
            acc[b] += value * lichen_flash_s8(w + b);
        }
        w += width;
    }
}

/* The same where every input is in_zero. */
LICHEN_INLINE void lichen_conv2d_s8_outside(int32_t *acc, int32_t in_zero, const int8_t *w, int n, int width)
{
    for (int i = 0; i < n; i++) {
        for (int b = 0; b < width; b++) {
            acc[b] += in_zero * lichen_flash_s8(w + b);
        }
        w += width;
    }
}

/* `width` output channels of the pixel whose window starts at input (y, x). */
LICHEN_INLINE void lichen_conv2d_s8_block(const lichen_conv2d_s8_params *p, lichen_view_s8 in, int y, int x, int8_t *out,
    const int8_t *w, const int32_t *bias, const int32_t *multiplier, const int8_t *shift, int width)
{
    const int row_length = p->in_w * p->in_c;
    const int inside = y >= 0 && x >= 0 && y + (p->kernel_h - 1) * p->dilation_h < p->in_h &&
        x + (p->kernel_w - 1) * p->dilation_w < p->in_w;
    int32_t acc[4];
    for (int b = 0; b < width; b++) {
        acc[b] = lichen_flash_s32(bias + b);
    }
    if (inside && p->dilation_w == 1) {
        const int n = p->kernel_w * p->in_c;
        for (int ky = 0; ky < p->kernel_h; ky++, w += n * width) {
            lichen_conv2d_s8_dot(acc, lichen_row_s8(in, y + ky * p->dilation_h, row_length) + x * p->in_c, w, n, width);
        }
    } else {
        for (int ky = 0; ky < p->kernel_h; ky++) {
            const int iy = y + ky * p->dilation_h;
            for (int kx = 0; kx < p->kernel_w; kx++, w += p->in_c * width) {
                const int ix = x + kx * p->dilation_w;
                if (iy >= 0 && iy < p->in_h && ix >= 0 && ix < p->in_w) {
                    lichen_conv2d_s8_dot(acc, lichen_row_s8(in, iy, row_length) + ix * p->in_c, w, p->in_c, width);
                } else {
                    lichen_conv2d_s8_outside(acc, p->in_zero, w, p->in_c, width);
                }
            }
        }
    }
    for (int b = 0; b < width; b++) {
        const int32_t scaled = lichen_requantise(acc[b], lichen_flash_s32(multiplier + b), lichen_flash_s8(shift + b));
        out[b] = lichen_clamp_s8(scaled + p->out_zero, p->low, p->high);
    }
}

LICHEN_KERNEL void lichen_conv2d_s8(const lichen_conv2d_s8_params *p, lichen_view_s8 in, lichen_view_s8 out, const int8_t *weights,
    const int32_t *bias, const int32_t *multiplier, const int8_t *shift, int row_begin, int row_end)
{
    const int taps = p->kernel_h * p->kernel_w * p->in_c;
    const int blocked = p->out_c - p->out_c % 4;
    for (int oy = row_begin; oy < row_end; oy++) {
        int8_t *pixel = lichen_row_s8(out, oy, p->out_w * p->out_c);
        const int y = oy * p->stride_h - p->pad_top;
        for (int ox = 0; ox < p->out_w; ox++, pixel += p->out_c) {
            const int x = ox * p->stride_w - p->pad_left;
            int c = 0;
            for (; c < blocked; c += 4) {
                lichen_conv2d_s8_block(
                    p, in, y, x, pixel + c, weights + c * taps, bias + c, multiplier + c, shift + c, 4);
            }
            if (c < p->out_c) {
                lichen_conv2d_s8_block(
                    p, in, y, x, pixel + c, weights + c * taps, bias + c, multiplier + c, shift + c, p->out_c - c);
            }
        }
    }
}

#endif
