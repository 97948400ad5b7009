/* float32: beta * y * (gradient - sum of gradient * y), by rows of `depth` values, where y is the result of the softmax. */
#ifndef LICHEN_SOFTMAX_GRAD_F32_H
#define LICHEN_SOFTMAX_GRAD_F32_H

#include "lichen_common.h"

typedef struct {
    int32_t rows, depth;
    float beta;
} lichen_softmax_grad_f32_params;

LICHEN_KERNEL void lichen_softmax_grad_f32(const lichen_softmax_grad_f32_params *p, const float *y, const float *gradient, float *out)
{
    const int depth = (int)p->depth;
    const float beta = p->beta;
    for (int32_t rows = p->rows; rows > 0; rows--, y += depth, gradient += depth, out += depth) {
        float mean = 0.0f;
        for (int i = 0; i < depth; i++) {
            mean += gradient[i] * y[i];
        }
        for (int i = 0; i < depth; i++) {
            out[i] = beta * y[i] * (gradient[i] - mean);
        }
    }
}

#endif
