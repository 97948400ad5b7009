/* The two-sided Page-Hinkley test of each feature. `sums` has six rows of `features` values: the mean, what rounding kept out of it,
   the sum that rises with the feature and its lowest value, the sum that falls with it and its highest value. */
#ifndef LICHEN_PAGE_HINKLEY_F32_H
#define LICHEN_PAGE_HINKLEY_F32_H

#include "lichen_running.h"

typedef struct {
    int32_t features, min_instances;
    float delta, threshold, alpha;
} lichen_page_hinkley_f32_params;

LICHEN_KERNEL void lichen_page_hinkley_f32(
    const lichen_page_hinkley_f32_params *p, const float *in, int32_t *count, float *sums, int32_t *drift)
{
    const int features = (int)p->features;
    for (int i = 0; i < features; i++) {
        const float x = in[i];
        float *const mean = sums + i;
        float *const lost = mean + features;
        float *const rise = lost + features;
        float *const lowest = rise + features;
        float *const fall = lowest + features;
        float *const highest = fall + features;
        drift[i] = 0;
        if (!lichen_are_samples(&x, 1)) {
            continue;
        }
        const float weight = lichen_next_weight(count + i, 0.0f);
        lichen_add(mean, lost, weight * (x - *mean));
        const float deviation = x - *mean;
        *rise = p->alpha * *rise + deviation - p->delta;
        *fall = p->alpha * *fall + deviation + p->delta;
        if (count[i] == 1 || *rise < *lowest) {
            *lowest = *rise;
        }
        if (count[i] == 1 || *fall > *highest) {
            *highest = *fall;
        }
        if (count[i] >= p->min_instances && (*rise - *lowest > p->threshold || *highest - *fall > p->threshold)) {
            drift[i] = 1;
            count[i] = 0;
            *mean = *lost = *rise = *lowest = *fall = *highest = 0.0f;
        }
    }
}

#endif
