/* float32: gradient * slope of x * min(max(x + 3, 0), 6) / 6, where x is the kept operand. */
#ifndef LICHEN_HARD_SWISH_GRAD_F32_H
#define LICHEN_HARD_SWISH_GRAD_F32_H

#include "lichen_common.h"

typedef struct {
    int32_t count;
} lichen_hard_swish_grad_f32_params;

LICHEN_KERNEL void lichen_hard_swish_grad_f32(const lichen_hard_swish_grad_f32_params *p, const float *kept, const float *gradient, float *out)
{
    const int count = (int)p->count;
    for (int i = 0; i < count; i++) {
        out[i] = gradient[i] * (kept[i] < -3.0f ? 0.0f : kept[i] <= 3.0f ? (2.0f * kept[i] + 3.0f) / 6.0f : 1.0f);
    }
}

#endif
