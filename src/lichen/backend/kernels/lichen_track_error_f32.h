/* Takes a prediction's squared and absolute error into their running means. `errors` is the mean squared error and what rounding kept
   out of it, then the same of the mean absolute error. */
#ifndef LICHEN_TRACK_ERROR_F32_H
#define LICHEN_TRACK_ERROR_F32_H

#include <math.h>

#include "lichen_running.h"

typedef struct {
    int32_t values;
    float forgetting;
} lichen_track_error_f32_params;

LICHEN_KERNEL void lichen_track_error_f32(const lichen_track_error_f32_params *p, float *errors, int32_t *count,
    const float *prediction, const float *target)
{
    const int values = (int)p->values;
    if (!lichen_are_samples(prediction, values) || !lichen_are_samples(target, values)) {
        return;
    }
    float squared = 0.0f;
    float absolute = 0.0f;
    for (int i = 0; i < values; i++) {
        const float error = prediction[i] - target[i];
        squared += error * error;
        absolute += fabsf(error);
    }
    const float weight = lichen_next_weight(count, p->forgetting);
    lichen_add(errors, errors + 1, weight * (squared / (float)values - errors[0]));
    lichen_add(errors + 2, errors + 3, weight * (absolute / (float)values - errors[2]));
}

#endif
