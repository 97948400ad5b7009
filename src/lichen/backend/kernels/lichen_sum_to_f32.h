/* float32 sums of all elements to which an element of the result is broadcast, times a factor. Adds in the order of the operand. */
#ifndef LICHEN_SUM_TO_F32_H
#define LICHEN_SUM_TO_F32_H

#include "lichen_walk.h"

typedef struct {
    int32_t rows, inner, results; /* runs of `inner` elements */
    int16_t dimensions, step;
    float factor;
} lichen_sum_to_f32_params;

LICHEN_KERNEL void lichen_sum_to_f32(const lichen_sum_to_f32_params *p, const float *in, float *out, const int32_t *geometry)
{
    const lichen_sum_to_f32_params local = *p; /* out might alias p */
    lichen_walk at;
    memset(out, 0, (size_t)local.results * sizeof *out);
    lichen_walk_start(&at, local.dimensions);
    for (int32_t row = 0; row < local.rows; row++) {
        float *sum = out + at.b;
        for (int32_t i = 0; i < local.inner; i++, sum += local.step) {
            *sum += *in++ * local.factor;
        }
        lichen_walk_next(&at, geometry, local.dimensions);
    }
}

#endif
