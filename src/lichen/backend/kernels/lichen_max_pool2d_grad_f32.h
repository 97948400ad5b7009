/* float32 gradient of maximum pooling, NHWC: each output's gradient goes to the first of the largest inputs of its window. */
#ifndef LICHEN_MAX_POOL2D_GRAD_F32_H
#define LICHEN_MAX_POOL2D_GRAD_F32_H

#include "lichen_pool_gradient.h"

typedef lichen_pool_gradient_params lichen_max_pool2d_grad_f32_params;

LICHEN_KERNEL void lichen_max_pool2d_grad_f32(
    const lichen_max_pool2d_grad_f32_params *p, const float *in, const float *gradient, float *out)
{
    memset(out, 0, (size_t)(p->in_h * p->in_w * p->in_c) * sizeof *out);
    for (int oy = 0; oy < p->out_h; oy++) {
        const lichen_span rows = lichen_pooled(oy * p->stride_h - p->pad_top, p->kernel_h, p->in_h);
        for (int ox = 0; ox < p->out_w; ox++) {
            const lichen_span columns = lichen_pooled(ox * p->stride_w - p->pad_left, p->kernel_w, p->in_w);
            for (int c = 0; c < p->in_c; c++) {
                int largest = (rows.begin * p->in_w + columns.begin) * p->in_c + c;
                for (int y = rows.begin; y < rows.end; y++) {
                    for (int x = columns.begin; x < columns.end; x++) {
                        const int tap = (y * p->in_w + x) * p->in_c + c;
                        largest = in[tap] > in[largest] ? tap : largest;
                    }
                }
                out[largest] += *gradient++;
            }
        }
    }
}

#endif
