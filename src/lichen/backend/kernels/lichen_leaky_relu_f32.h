/* float32: x where positive, else alpha * x. */
#ifndef LICHEN_LEAKY_RELU_F32_H
#define LICHEN_LEAKY_RELU_F32_H

#include "lichen_common.h"

typedef struct {
    int32_t count;
    float alpha;
} lichen_leaky_relu_f32_params;

LICHEN_KERNEL void lichen_leaky_relu_f32(const lichen_leaky_relu_f32_params *p, const float *in, float *out)
{
    const int count = (int)p->count;
    const float alpha = p->alpha;
    for (int i = 0; i < count; i++) {
        out[i] = in[i] > 0.0f ? in[i] : in[i] * alpha;
    }
}

#endif
