/* float32 gradient of a convolution's input, NHWC: each output pixel's gradient, times the weights [out_c][kernel_h][kernel_w][in_c], is
   added to the taps it was computed from, channel after channel of the output (`lichen_add_columns`). */
#ifndef LICHEN_CONV2D_GRAD_INPUT_F32_H
#define LICHEN_CONV2D_GRAD_INPUT_F32_H

#include "lichen_convolution_gradient.h"

typedef lichen_convolution_gradient_params lichen_conv2d_grad_input_f32_params;

LICHEN_KERNEL void lichen_conv2d_grad_input_f32(
    const lichen_conv2d_grad_input_f32_params *p, const float *gradient, const float *weights, float *out)
{
    const int taps = p->kernel_h * p->kernel_w;
    memset(out, 0, (size_t)(p->in_h * p->in_w * p->in_c) * sizeof *out);
    for (int oy = 0; oy < p->out_h; oy++) {
        const lichen_span rows = lichen_rows_inside(p, oy);
        for (int ox = 0; ox < p->out_w; ox++, gradient += p->out_c) {
            const lichen_span columns = lichen_columns_inside(p, ox);
            const int inside = (columns.end - columns.begin) * p->in_c;
            const int run = p->dilation_w == 1 ? inside : p->in_c; /* without dilation a row of taps is one run */
            for (int ky = rows.begin; ky < rows.end; ky++) {
                const float *w = weights + (ky * p->kernel_w + columns.begin) * p->in_c;
                float *tap = out + lichen_tap_at(p, oy, ox, ky, columns.begin);
                for (int left = inside; left > 0; left -= run, w += run, tap += p->dilation_w * p->in_c) {
                    lichen_add_columns(tap, gradient, w, p->out_c, taps * p->in_c, run, p->weights_in_flash);
                }
            }
        }
    }
}

#endif
