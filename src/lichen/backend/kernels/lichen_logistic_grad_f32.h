/* float32: gradient * y * (1 - y), where y is the kept result. */
#ifndef LICHEN_LOGISTIC_GRAD_F32_H
#define LICHEN_LOGISTIC_GRAD_F32_H

#include "lichen_common.h"

typedef struct {
    int32_t count;
} lichen_logistic_grad_f32_params;

LICHEN_KERNEL void lichen_logistic_grad_f32(const lichen_logistic_grad_f32_params *p, const float *kept, const float *gradient, float *out)
{
    const int count = (int)p->count;
    for (int i = 0; i < count; i++) {
        out[i] = gradient[i] * kept[i] * (1.0f - kept[i]);
    }
}

#endif
