/* float32: the operand times a factor, broadcast to the result. */
#ifndef LICHEN_SPREAD_F32_H
#define LICHEN_SPREAD_F32_H

#include "lichen_walk.h"

typedef struct {
    int32_t rows, inner; /* runs of `inner` elements */
    int16_t dimensions, step;
    float factor;
} lichen_spread_f32_params;

LICHEN_KERNEL void lichen_spread_f32(const lichen_spread_f32_params *p, const float *in, float *out, const int32_t *geometry)
{
    const lichen_spread_f32_params local = *p; /* out might alias p */
    lichen_walk at;
    lichen_walk_start(&at, local.dimensions);
    for (int32_t row = 0; row < local.rows; row++) {
        const float *x = in + at.a;
        for (int32_t i = 0; i < local.inner; i++, x += local.step) {
            *out++ = *x * local.factor;
        }
        lichen_walk_next(&at, geometry, local.dimensions);
    }
}

#endif
