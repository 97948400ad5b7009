/* float32 binary cross-entropy of logits, without overflow, and the probabilities; sums in order. */
#ifndef LICHEN_SIGMOID_CROSS_ENTROPY_F32_H
#define LICHEN_SIGMOID_CROSS_ENTROPY_F32_H

#include <math.h>

#include "lichen_common.h"

typedef struct {
    int32_t count;
} lichen_sigmoid_cross_entropy_f32_params;

LICHEN_KERNEL void lichen_sigmoid_cross_entropy_f32(const lichen_sigmoid_cross_entropy_f32_params *p, const float *logits,
    const float *target, float *loss, float *probabilities)
{
    const int count = (int)p->count;
    float sum = 0.0f;
    for (int i = 0; i < count; i++) {
        const float z = logits[i];
        const float power = expf(z < 0.0f ? z : -z); /* exp(-|z|), never more than 1 */
        sum += (z < 0.0f ? 0.0f : z) - z * target[i] + log1pf(power);
        probabilities[i] = (z < 0.0f ? power : 1.0f) / (1.0f + power);
    }
    *loss = sum / (float)count;
}

#endif
