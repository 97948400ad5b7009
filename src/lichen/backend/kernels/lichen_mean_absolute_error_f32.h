/* float32: mean absolute error; sums in order. */
#ifndef LICHEN_MEAN_ABSOLUTE_ERROR_F32_H
#define LICHEN_MEAN_ABSOLUTE_ERROR_F32_H

#include "lichen_common.h"

typedef struct {
    int32_t count;
} lichen_mean_absolute_error_f32_params;

LICHEN_KERNEL void lichen_mean_absolute_error_f32(
    const lichen_mean_absolute_error_f32_params *p, const float *prediction, const float *target, float *loss)
{
    const int count = (int)p->count;
    float sum = 0.0f;
    for (int i = 0; i < count; i++) {
        const float difference = prediction[i] - target[i];
        sum += difference < 0.0f ? -difference : difference;
    }
    *loss = sum / (float)count;
}

#endif
