/* float32 softmax of logits and the cross-entropy with a label; not a number for a label that is no class. Reads all logits and the
   label for the maximum, then each logit before its probability is written, and writes the loss last. */
#ifndef LICHEN_SOFTMAX_CROSS_ENTROPY_F32_H
#define LICHEN_SOFTMAX_CROSS_ENTROPY_F32_H

#include <math.h>

#include "lichen_common.h"

typedef struct {
    int32_t count;
} lichen_softmax_cross_entropy_f32_params;

LICHEN_KERNEL void lichen_softmax_cross_entropy_f32(const lichen_softmax_cross_entropy_f32_params *p, const float *logits,
    const int32_t *label, float *loss, float *probabilities)
{
    const int count = (int)p->count;
    const int32_t expected = *label;
    const float logit = expected >= 0 && expected < count ? logits[expected] : (float)NAN;
    float max = logits[0];
    float sum = 0.0f;
    for (int i = 1; i < count; i++) {
        max = logits[i] > max ? logits[i] : max;
    }
    for (int i = 0; i < count; i++) {
        const float power = expf(logits[i] - max);
        probabilities[i] = power;
        sum += power;
    }
    for (int i = 0; i < count; i++) {
        probabilities[i] /= sum;
    }
    *loss = logf(sum) + (max - logit);
}

#endif
