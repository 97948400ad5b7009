/* float32 gradient of average pooling, NHWC: each output's gradient is shared out evenly among the inputs it is the mean of. */
#ifndef LICHEN_AVG_POOL2D_GRAD_F32_H
#define LICHEN_AVG_POOL2D_GRAD_F32_H

#include "lichen_pool_gradient.h"

typedef lichen_pool_gradient_params lichen_avg_pool2d_grad_f32_params;

LICHEN_KERNEL void lichen_avg_pool2d_grad_f32(const lichen_avg_pool2d_grad_f32_params *p, const float *gradient, float *out)
{
    memset(out, 0, (size_t)(p->in_h * p->in_w * p->in_c) * sizeof *out);
    for (int oy = 0; oy < p->out_h; oy++) {
        const lichen_span rows = lichen_pooled(oy * p->stride_h - p->pad_top, p->kernel_h, p->in_h);
        for (int ox = 0; ox < p->out_w; ox++, gradient += p->in_c) {
            const lichen_span columns = lichen_pooled(ox * p->stride_w - p->pad_left, p->kernel_w, p->in_w);
            const float share = 1.0f / (float)((rows.end - rows.begin) * (columns.end - columns.begin));
            for (int y = rows.begin; y < rows.end; y++) {
                for (int x = columns.begin; x < columns.end; x++) {
                    float *tap = out + (y * p->in_w + x) * p->in_c;
                    for (int c = 0; c < p->in_c; c++) {
                        tap[c] += share * gradient[c];
                    }
                }
            }
        }
    }
}

#endif
