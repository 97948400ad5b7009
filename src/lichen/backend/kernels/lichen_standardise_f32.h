/* Takes a sample into the running mean and variance of each feature, then scores it by them. The sample is read once to see that it
   is usable, then feature by feature. `lost` holds what rounding kept out of the means, then what it kept out of the variances. */
#ifndef LICHEN_STANDARDISE_F32_H
#define LICHEN_STANDARDISE_F32_H

#include "lichen_running.h"
#include "lichen_standard_score_f32.h"

typedef struct {
    int32_t features;
    float forgetting;
} lichen_standardise_f32_params;

LICHEN_KERNEL void lichen_standardise_f32(const lichen_standardise_f32_params *p, const float *in, int32_t *count, float *mean,
    float *variance, float *lost, float *out)
{
    const int features = (int)p->features;
    const int usable = lichen_are_samples(in, features);
    const float weight = usable ? lichen_next_weight(count, p->forgetting) : 0.0f;
    for (int i = 0; i < features; i++) {
        const float x = in[i];
        if (usable) {
            const float deviation = x - mean[i];
            lichen_add(mean + i, lost + i, weight * deviation);
            const float square = (1.0f - weight) * (deviation * deviation);
            lichen_add(variance + i, lost + features + i, weight * (square - variance[i]));
        }
        out[i] = lichen_score_f32(x, mean[i], variance[i]);
    }
}

#endif
