/* What all updates of parameters share: parameter = keep * parameter + add * gradient, with coefficients {keep, add}. */
#ifndef LICHEN_PARAMETER_H
#define LICHEN_PARAMETER_H

#include "lichen_common.h"

/* Multiplies `count` parameters by `keep`; the kernel that calls it adds `add` times the gradient, which is what it returns. */
LICHEN_HELPER float lichen_keep_parameter(float *parameter, int count, const float *coefficients)
{
    const float keep = coefficients[0];
    if (keep == 0.0f) {
        memset(parameter, 0, (size_t)count * sizeof *parameter);
    } else if (keep != 1.0f) {
        for (int i = 0; i < count; i++) {
            parameter[i] *= keep;
        }
    }
    return coefficients[1];
}

/* parameter[i] += factor * x[i] */
LICHEN_HOT void lichen_add_multiple(float *parameter, const float *x, int count, float factor)
{
    for (; count >= 4; count -= 4, parameter += 4, x += 4) {
        parameter[0] += factor * x[0];
        parameter[1] += factor * x[1];
        parameter[2] += factor * x[2];
        parameter[3] += factor * x[3];
    }
    for (int i = 0; i < count; i++) {
        parameter[i] += factor * x[i];
    }
}

#endif
