/* Whether to learn: until the running mean of the loss is good enough, and again from the first drift. `mean` is that mean and what
   rounding kept out of it. The lesson is the
   loss to learn from: not a number where nothing is to be learned. */
#ifndef LICHEN_LEARNING_GATE_F32_H
#define LICHEN_LEARNING_GATE_F32_H

#include <math.h>

#include "lichen_running.h"

typedef struct {
    int32_t detectors, min_instances;
    float good_enough, forgetting;
} lichen_learning_gate_f32_params;

LICHEN_KERNEL void lichen_learning_gate_f32(const lichen_learning_gate_f32_params *p, const float *loss, const int32_t *drift,
    int32_t *count, float *mean, int32_t *asleep, int32_t *enabled, float *lesson)
{
    const int detectors = (int)p->detectors;
    if (lichen_are_samples(loss, 1)) {
        const float weight = lichen_next_weight(count, p->forgetting);
        lichen_add(mean, mean + 1, weight * (loss[0] - mean[0]));
    }
    if (*asleep == 0 && *count >= p->min_instances && mean[0] <= p->good_enough) {
        *asleep = 1;
    }
    for (int i = 0; i < detectors; i++) {
        if (drift[i] != 0 && *asleep != 0) {
            *asleep = 0;
            *count = 0;
            mean[0] = mean[1] = 0.0f;
        }
    }
    *enabled = *asleep == 0;
    *lesson = *asleep == 0 ? loss[0] : (float)NAN;
}

#endif
