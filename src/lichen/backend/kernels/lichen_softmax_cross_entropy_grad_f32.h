/* float32 gradient of the softmax cross-entropy: the probabilities, less 1 at the label. */
#ifndef LICHEN_SOFTMAX_CROSS_ENTROPY_GRAD_F32_H
#define LICHEN_SOFTMAX_CROSS_ENTROPY_GRAD_F32_H

#include "lichen_common.h"

typedef struct {
    int32_t count;
} lichen_softmax_cross_entropy_grad_f32_params;

LICHEN_KERNEL void lichen_softmax_cross_entropy_grad_f32(
    const lichen_softmax_cross_entropy_grad_f32_params *p, const float *probabilities, const int32_t *label, float *out)
{
    const int count = (int)p->count;
    const int32_t expected = *label;
    for (int i = 0; i < count; i++) {
        out[i] = probabilities[i] - (i == expected ? 1.0f : 0.0f);
    }
}

#endif
