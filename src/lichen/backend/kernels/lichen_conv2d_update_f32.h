/* float32 weights [out_c][kernel_h][kernel_w][in_c] = keep * weights + add * their gradient, from the gradient of the result, NHWC, and the
   input x. Adds up pixel by pixel. */
#ifndef LICHEN_CONV2D_UPDATE_F32_H
#define LICHEN_CONV2D_UPDATE_F32_H

#include "lichen_convolution_gradient.h"

typedef lichen_convolution_gradient_params lichen_conv2d_update_f32_params;

LICHEN_KERNEL void lichen_conv2d_update_f32(const lichen_conv2d_update_f32_params *p, float *weights, const float *gradient, const float *x,
    const float *coefficients)
{
    const int taps = p->kernel_h * p->kernel_w;
    const float add = lichen_keep_parameter(weights, p->out_c * taps * p->in_c, coefficients);
    if (add == 0.0f) {
        return;
    }
    for (int oy = 0; oy < p->out_h; oy++) {
        const lichen_span rows = lichen_rows_inside(p, oy);
        for (int ox = 0; ox < p->out_w; ox++, gradient += p->out_c) {
            const lichen_span columns = lichen_columns_inside(p, ox);
            const int inside = (columns.end - columns.begin) * p->in_c;
            const int run = p->dilation_w == 1 ? inside : p->in_c; /* without dilation a row of taps is one run */
            for (int ky = rows.begin; ky < rows.end; ky++) {
                float *w = weights + (ky * p->kernel_w + columns.begin) * p->in_c;
                const float *tap = x + lichen_tap_at(p, oy, ox, ky, columns.begin);
                for (int left = inside; left > 0; left -= run, w += run, tap += p->dilation_w * p->in_c) {
                    lichen_add_outer(w, taps * p->in_c, gradient, p->out_c, tap, run, add);
                }
            }
        }
    }
}

#endif
