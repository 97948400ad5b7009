/* How many standard deviations each feature lies above its mean; 0 where there is no deviation yet. */
#ifndef LICHEN_STANDARD_SCORE_F32_H
#define LICHEN_STANDARD_SCORE_F32_H

#include <math.h>

#include "lichen_common.h"

typedef struct {
    int32_t features;
} lichen_standard_score_f32_params;

LICHEN_INLINE float lichen_score_f32(float x, float mean, float variance)
{
    return variance > 0.0f ? (x - mean) / sqrtf(variance) : 0.0f;
}

LICHEN_KERNEL void lichen_standard_score_f32(
    const lichen_standard_score_f32_params *p, const float *in, const float *mean, const float *variance, float *out)
{
    const int features = (int)p->features;
    for (int i = 0; i < features; i++) {
        out[i] = lichen_score_f32(in[i], mean[i], variance[i]);
    }
}

#endif
