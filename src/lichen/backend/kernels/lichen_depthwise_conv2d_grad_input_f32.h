/* float32 gradient of a depthwise convolution's input, NHWC: each output pixel's gradient, times the weights
   [kernel_h][kernel_w][out_c], is added to the taps it was computed from. */
#ifndef LICHEN_DEPTHWISE_CONV2D_GRAD_INPUT_F32_H
#define LICHEN_DEPTHWISE_CONV2D_GRAD_INPUT_F32_H

#include "lichen_convolution_gradient.h"

typedef lichen_convolution_gradient_params lichen_depthwise_conv2d_grad_input_f32_params;

LICHEN_KERNEL void lichen_depthwise_conv2d_grad_input_f32(
    const lichen_depthwise_conv2d_grad_input_f32_params *p, const float *gradient, const float *weights, float *out)
{
    const int depth_multiplier = p->out_c / p->in_c;
    memset(out, 0, (size_t)(p->in_h * p->in_w * p->in_c) * sizeof *out);
    for (int oy = 0; oy < p->out_h; oy++) {
        const lichen_span rows = lichen_rows_inside(p, oy);
        for (int ox = 0; ox < p->out_w; ox++, gradient += p->out_c) {
            const lichen_span columns = lichen_columns_inside(p, ox);
            for (int ky = rows.begin; ky < rows.end; ky++) {
                for (int kx = columns.begin; kx < columns.end; kx++) {
                    const float *w = weights + (ky * p->kernel_w + kx) * p->out_c;
                    float *tap = out + lichen_tap_at(p, oy, ox, ky, kx);
                    if (depth_multiplier == 1) {
                        lichen_add_products(tap, gradient, w, p->out_c, p->weights_in_flash);
                        continue;
                    }
                    for (int oc = 0; oc < p->out_c; oc++) {
                        tap[oc / depth_multiplier] += gradient[oc] * lichen_read_f32(w + oc, p->weights_in_flash);
                    }
                }
            }
        }
    }
}

#endif
