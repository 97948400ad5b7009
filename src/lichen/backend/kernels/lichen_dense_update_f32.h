/* float32 weights [out_c][in_c] = keep * weights + add * gradient' x, with gradient [batch][out_c] and x [batch][in_c]. */
#ifndef LICHEN_DENSE_UPDATE_F32_H
#define LICHEN_DENSE_UPDATE_F32_H

#include "lichen_parameter.h"

typedef struct {
    int16_t batch, in_c, out_c;
} lichen_dense_update_f32_params;

LICHEN_KERNEL void lichen_dense_update_f32(const lichen_dense_update_f32_params *p, float *weights, const float *gradient, const float *x,
    const float *coefficients)
{
    const float add = lichen_keep_parameter(weights, p->out_c * p->in_c, coefficients);
    if (add == 0.0f) {
        return;
    }
    for (int row = 0; row < p->batch; row++, gradient += p->out_c, x += p->in_c) {
        lichen_add_outer(weights, p->in_c, gradient, p->out_c, x, p->in_c, add);
    }
}

#endif
