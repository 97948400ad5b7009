/* float32: limits each element to [low, high]. */
#ifndef LICHEN_LIMIT_F32_H
#define LICHEN_LIMIT_F32_H

#include "lichen_common.h"

typedef struct {
    int32_t count;
    float low, high;
} lichen_limit_f32_params;

LICHEN_KERNEL void lichen_limit_f32(const lichen_limit_f32_params *p, const float *in, float *out)
{
    const int count = (int)p->count;
    const float low = p->low;
    const float high = p->high;
    for (int i = 0; i < count; i++) {
        out[i] = lichen_clamp_f32(in[i], low, high);
    }
}

#endif
