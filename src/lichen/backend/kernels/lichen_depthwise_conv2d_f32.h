/* float32 depthwise convolution, NHWC: output channel o sees input channel o / (out_c / in_c) only. Sums taps in order of rows and
   columns, then adds the bias; weights: [kernel_h][kernel_w][out_c]. The sums of all channels grow in their places, tap by tap
   (`lichen_add_products`). */
#ifndef LICHEN_DEPTHWISE_CONV2D_F32_H
#define LICHEN_DEPTHWISE_CONV2D_F32_H

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
} lichen_depthwise_conv2d_f32_params;

LICHEN_KERNEL void lichen_depthwise_conv2d_f32(const lichen_depthwise_conv2d_f32_params *p, lichen_view_f32 in, lichen_view_f32 out,
    const float *weights, const float *bias, int row_begin, int row_end)
{
    const int depth_multiplier = p->out_c / p->in_c;
    for (int oy = row_begin; oy < row_end; oy++) {
        const int y = oy * p->stride_h - p->pad_top;
        const lichen_span rows = lichen_taps_inside(y, p->dilation_h, p->kernel_h, p->in_h);
        float *result = lichen_row_f32(out, oy, (int)p->out_length);
        for (int ox = 0; ox < p->out_w; ox++, result += p->out_c) {
            const int x = ox * p->stride_w - p->pad_left;
            const lichen_span columns = lichen_taps_inside(x, p->dilation_w, p->kernel_w, p->in_w);
            lichen_clear_f32(result, p->out_c);
            for (int ky = rows.begin; ky < rows.end; ky++) {
                const float *row = lichen_row_f32(in, y + ky * p->dilation_h, (int)p->in_length);
                for (int kx = columns.begin; kx < columns.end; kx++) {
                    const float *tap = row + (x + kx * p->dilation_w) * p->in_c;
                    const float *w = weights + (ky * p->kernel_w + kx) * p->out_c;
                    if (depth_multiplier == 1) {
                        lichen_add_products(result, tap, w, p->out_c, p->weights_in_flash);
                        continue;
                    }
                    for (int oc = 0; oc < p->out_c; oc++) {
                        result[oc] += tap[oc / depth_multiplier] * lichen_read_f32(w + oc, p->weights_in_flash);
                    }
                }
            }
            for (int oc = 0; oc < p->out_c; oc++) {
                result[oc] = lichen_clamp_f32(result[oc] + lichen_read_f32(bias + oc, p->bias_in_flash), p->low, p->high);
            }
        }
    }
}

#endif
