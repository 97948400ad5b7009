/* float32 parameters (count) and their gradient (rows, count), which is summed over its rows: parameter = keep * parameter + add * gradient. */
#ifndef LICHEN_UPDATE_F32_H
#define LICHEN_UPDATE_F32_H

#include "lichen_parameter.h"

typedef struct {
    int32_t count, rows;
} lichen_update_f32_params;

LICHEN_KERNEL void lichen_update_f32(
    const lichen_update_f32_params *p, float *parameter, const float *gradient, const float *coefficients)
{
    const int count = (int)p->count;
    const int rows = (int)p->rows;
    const float add = lichen_keep_parameter(parameter, count, coefficients);
    if (add == 0.0f) {
        return;
    }
    for (int row = 0; row < rows; row++, gradient += count) {
        const float one = 1.0f;
        lichen_add_outer(parameter, 0, &one, 1, gradient, count, add);
    }
}

#endif
