/* float32: the gradient where the kept result lies inside the range, else 0. */
#ifndef LICHEN_LIMIT_GRAD_F32_H
#define LICHEN_LIMIT_GRAD_F32_H

#include "lichen_common.h"

typedef struct {
    int32_t count;
    float low, high;
} lichen_limit_grad_f32_params;

LICHEN_KERNEL void lichen_limit_grad_f32(const lichen_limit_grad_f32_params *p, const float *kept, const float *gradient, float *out)
{
    const int count = (int)p->count;
    const float low = p->low;
    const float high = p->high;
    for (int i = 0; i < count; i++) {
        out[i] = kept[i] > low && kept[i] < high ? gradient[i] : 0.0f;
    }
}

#endif
