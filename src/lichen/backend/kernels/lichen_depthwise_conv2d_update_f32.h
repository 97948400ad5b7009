/* float32 weights [kernel_h][kernel_w][out_c] = keep * weights + add * their gradient, from the gradient of the result, NHWC, and the
   input x. Adds up pixel by pixel. */
#ifndef LICHEN_DEPTHWISE_CONV2D_UPDATE_F32_H
#define LICHEN_DEPTHWISE_CONV2D_UPDATE_F32_H

#include "lichen_convolution_gradient.h"

typedef lichen_convolution_gradient_params lichen_depthwise_conv2d_update_f32_params;

LICHEN_KERNEL void lichen_depthwise_conv2d_update_f32(const lichen_depthwise_conv2d_update_f32_params *p, float *weights,
    const float *gradient, const float *x, const float *coefficients)
{
    const int depth_multiplier = p->out_c / p->in_c;
    const float add = lichen_keep_parameter(weights, p->kernel_h * p->kernel_w * p->out_c, coefficients);
    if (add == 0.0f) {
        return;
    }
    for (int oy = 0; oy < p->out_h; oy++) {
        const lichen_span rows = lichen_rows_inside(p, oy);
        for (int ox = 0; ox < p->out_w; ox++, gradient += p->out_c) {
            const lichen_span columns = lichen_columns_inside(p, ox);
            for (int ky = rows.begin; ky < rows.end; ky++) {
                for (int kx = columns.begin; kx < columns.end; kx++) {
                    const float *tap = x + lichen_tap_at(p, oy, ox, ky, kx);
                    float *w = weights + (ky * p->kernel_w + kx) * p->out_c;
                    if (depth_multiplier == 1) {
                        lichen_add_scaled_products(w, gradient, tap, p->out_c, add);
                        continue;
                    }
                    for (int oc = 0; oc < p->out_c; oc++) {
                        w[oc] += add * gradient[oc] * tap[oc / depth_multiplier];
                    }
                }
            }
        }
    }
}

#endif
