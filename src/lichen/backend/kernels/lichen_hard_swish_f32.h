/* float32: x * min(max(x + 3, 0), 6) / 6. */
#ifndef LICHEN_HARD_SWISH_F32_H
#define LICHEN_HARD_SWISH_F32_H

#include "lichen_common.h"

typedef struct {
    int32_t count;
} lichen_hard_swish_f32_params;

LICHEN_KERNEL void lichen_hard_swish_f32(const lichen_hard_swish_f32_params *p, const float *in, float *out)
{
    const int count = (int)p->count;
    for (int i = 0; i < count; i++) {
        out[i] = in[i] * lichen_clamp_f32(in[i] + 3.0f, 0.0f, 6.0f) / 6.0f;
    }
}

#endif
