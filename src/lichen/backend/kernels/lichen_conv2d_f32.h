/* float32 convolution, NHWC. Sums taps in order of rows, columns, channels, then adds the bias; weights: [out_c][kernel_h][kernel_w][in_c].
   Which taps lie inside the input is worked out once a pixel, and four output channels share its loads (`lichen_dot4_f32`). */
#ifndef LICHEN_CONV2D_F32_H
#define LICHEN_CONV2D_F32_H

#include "lichen_float_loops.h"
#include "lichen_view.h"
#include "lichen_window.h"

typedef struct {
    int32_t in_length, out_length; /* elements from one row to the next */
    int16_t in_h, in_w, in_c;
    int16_t out_w, out_c;
    int16_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
    int16_t weights_in_flash, bias_in_flash;
    float low, high;
} lichen_conv2d_f32_params;

/* sum[b] += the products of output channels whose weights lie `stride` apart, for `width` channels, one or four. */
LICHEN_INLINE void lichen_window_f32(const lichen_conv2d_f32_params *p, lichen_view_f32 in, int y, int x, lichen_span rows,
    lichen_span columns, const float *weights, float *sum, int width)
{
    const int taps = (columns.end - columns.begin) * p->in_c;
    const int run = p->dilation_w == 1 ? taps : p->in_c; /* without dilation a row of taps is one run */
    for (int ky = rows.begin; ky < rows.end; ky++) {
        const float *w = weights + (ky * p->kernel_w + columns.begin) * p->in_c;
        const float *tap = lichen_row_f32(in, y + ky * p->dilation_h, (int)p->in_length) + (x + columns.begin * p->dilation_w) * p->in_c;
        for (int left = taps; left > 0; left -= run, w += run, tap += p->dilation_w * p->in_c) {
            if (width == 4) {
                lichen_dot4_f32(sum, tap, w, p->kernel_h * p->kernel_w * p->in_c, run);
            } else {
                sum[0] = lichen_dot_f32(sum[0], tap, w, run, p->weights_in_flash);
            }
        }
    }
}

LICHEN_KERNEL void lichen_conv2d_f32(const lichen_conv2d_f32_params *p, lichen_view_f32 in, lichen_view_f32 out, const float *weights,
    const float *bias, int row_begin, int row_end)
{
    const int taps = p->kernel_h * p->kernel_w * p->in_c;
    for (int oy = row_begin; oy < row_end; oy++) {
        const int y = oy * p->stride_h - p->pad_top;
        const lichen_span rows = lichen_taps_inside(y, p->dilation_h, p->kernel_h, p->in_h);
        float *result = lichen_row_f32(out, oy, (int)p->out_length);
        for (int ox = 0; ox < p->out_w; ox++) {
            const int x = ox * p->stride_w - p->pad_left;
            const lichen_span columns = lichen_taps_inside(x, p->dilation_w, p->kernel_w, p->in_w);
            const float *w = weights;
            int oc = 0;
#if !defined(LICHEN_SOFT_FLOAT)
            for (; oc + 4 <= p->out_c; oc += 4, w += 4 * taps) {
                float sum[4];
                sum[0] = sum[1] = sum[2] = sum[3] = 0.0f;
                lichen_window_f32(p, in, y, x, rows, columns, w, sum, 4);
                for (int b = 0; b < 4; b++) {
                    *result++ = lichen_clamp_f32(sum[b] + bias[oc + b], p->low, p->high);
                }
            }
#endif
            for (; oc < p->out_c; oc++, w += taps) {
                float sum[1] = {0.0f};
                lichen_window_f32(p, in, y, x, rows, columns, w, sum, 1);
                *result++ = lichen_clamp_f32(sum[0] + lichen_read_f32(bias + oc, p->bias_in_flash), p->low, p->high);
            }
        }
    }
}

#endif
