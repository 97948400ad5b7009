/* What all updates of parameters share: parameter = keep * parameter + add * gradient, with coefficients {keep, add}. */
#ifndef LICHEN_PARAMETER_H
#define LICHEN_PARAMETER_H

#include "lichen_float_loops.h"

/* Multiplies `count` parameters by `keep`; the kernel that calls it adds `add` times the gradient, which is what it returns. */
LICHEN_HELPER float lichen_keep_parameter(float *parameter, int count, const float *coefficients)
{
    const float keep = coefficients[0];
    if (keep == 0.0f) {
        lichen_clear_f32(parameter, count);
    } else if (keep != 1.0f) {
        for (int i = 0; i < count; i++) {
            parameter[i] *= keep;
        }
    }
    return coefficients[1];
}

#endif
