/* float32: gradient * (1 - y * y), where y is the kept result. */
#ifndef LICHEN_TANH_GRAD_F32_H
#define LICHEN_TANH_GRAD_F32_H

#include "lichen_common.h"

typedef struct {
    int32_t count;
} lichen_tanh_grad_f32_params;

LICHEN_KERNEL void lichen_tanh_grad_f32(const lichen_tanh_grad_f32_params *p, const float *kept, const float *gradient, float *out)
{
    const int count = (int)p->count;
    for (int i = 0; i < count; i++) {
        out[i] = gradient[i] * (1.0f - kept[i] * kept[i]);
    }
}

#endif
