/* float32: the gradient where the kept operand is positive, else alpha times the gradient. */
#ifndef LICHEN_LEAKY_RELU_GRAD_F32_H
#define LICHEN_LEAKY_RELU_GRAD_F32_H

#include "lichen_common.h"

typedef struct {
    int32_t count;
    float alpha;
} lichen_leaky_relu_grad_f32_params;

LICHEN_KERNEL void lichen_leaky_relu_grad_f32(const lichen_leaky_relu_grad_f32_params *p, const float *kept, const float *gradient, float *out)
{
    const int count = (int)p->count;
    const float alpha = p->alpha;
    for (int i = 0; i < count; i++) {
        out[i] = kept[i] > 0.0f ? gradient[i] : gradient[i] * alpha;
    }
}

#endif
