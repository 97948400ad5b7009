/* Coefficients {keep, add} of a step of gradient descent; {1, 0}, which changes nothing, where rate or loss is no finite number. */
#ifndef LICHEN_SGD_H
#define LICHEN_SGD_H

#include "lichen_finite.h"

typedef struct {
    float weight_decay;
} lichen_sgd_params;

LICHEN_KERNEL void lichen_sgd(const lichen_sgd_params *p, const float *rate, const float *loss, float *coefficients)
{
    const int usable = lichen_is_finite(*rate) && lichen_is_finite(*loss);
    coefficients[0] = usable ? 1.0f - *rate * p->weight_decay : 1.0f;
    coefficients[1] = usable ? -*rate : 0.0f;
}

#endif
