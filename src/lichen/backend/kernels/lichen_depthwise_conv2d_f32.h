/* float32 depthwise convolution, NHWC: output channel o sees input channel o / (out_c / in_c) only. Sums taps in order of rows and
   columns, then adds the bias; the weight of tap t of channel c lies at
   c * channel_step + t * tap_step. */
#ifndef LICHEN_DEPTHWISE_CONV2D_F32_H
#define LICHEN_DEPTHWISE_CONV2D_F32_H

#include "lichen_view.h"

typedef struct {
    int32_t in_length, out_length; /* elements from one row to the next */
    int16_t in_h, in_w, in_c;
    int16_t out_w, out_c;
    int16_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
    int16_t channel_step, tap_step;
    int16_t weights_in_flash, bias_in_flash;
    float low, high;
} lichen_depthwise_conv2d_f32_params;

LICHEN_KERNEL void lichen_depthwise_conv2d_f32(const lichen_depthwise_conv2d_f32_params *p, lichen_view_f32 in, lichen_view_f32 out,
    const float *weights, const float *bias, int row_begin, int row_end)
{
    const int depth_multiplier = p->out_c / p->in_c;
    for (int oy = row_begin; oy < row_end; oy++) {
        float *result = lichen_row_f32(out, oy, (int)p->out_length);
        for (int ox = 0; ox < p->out_w; ox++) {
            for (int oc = 0; oc < p->out_c; oc++) {
                const float *w = weights + oc * p->channel_step;
                float sum = 0.0f;
                for (int ky = 0; ky < p->kernel_h; ky++) {
                    const int iy = oy * p->stride_h - p->pad_top + ky * p->dilation_h;
                    for (int kx = 0; kx < p->kernel_w; kx++, w += p->tap_step) {
                        const int ix = ox * p->stride_w - p->pad_left + kx * p->dilation_w;
                        if (iy >= 0 && iy < p->in_h && ix >= 0 && ix < p->in_w) {
                            const float *x = lichen_row_f32(in, iy, (int)p->in_length) + ix * p->in_c;
                            sum += x[oc / depth_multiplier] * lichen_read_f32(w, p->weights_in_flash);
                        }
                    }
                }
                *result++ = lichen_clamp_f32(sum + lichen_read_f32(bias + oc, p->bias_in_flash), p->low, p->high);
            }
        }
    }
}

#endif
