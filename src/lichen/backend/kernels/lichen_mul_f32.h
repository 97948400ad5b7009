/* float32 product of two operands, which may be broadcast or stand in flash.
   Elements in order, both operands read before the result is written. */
#ifndef LICHEN_MUL_F32_H
#define LICHEN_MUL_F32_H

#include "lichen_walk.h"

typedef struct {
    int32_t rows, inner; /* runs of `inner` elements */
    int16_t dimensions, a_step, b_step, a_in_flash, b_in_flash;
    float low, high;
} lichen_mul_f32_params;

LICHEN_KERNEL void lichen_mul_f32(const lichen_mul_f32_params *p, const float *a_data, const float *b_data, float *out,
    const int32_t *geometry)
{
    const lichen_mul_f32_params local = *p; /* out might alias p */
    const int rows = (int)local.rows;
    const int inner = (int)local.inner;
    lichen_walk at;
    lichen_walk_start(&at, local.dimensions);
    for (int row = 0; row < rows; row++) {
        const float *a = a_data + at.a;
        const float *b = b_data + at.b;
        for (int i = 0; i < inner; i++) {
            const float x = local.a_in_flash ? lichen_flash_f32(a) : *a;
            const float y = local.b_in_flash ? lichen_flash_f32(b) : *b;
            *out++ = lichen_clamp_f32(x * y, local.low, local.high);
            a += local.a_step;
            b += local.b_step;
        }
        lichen_walk_next(&at, geometry, local.dimensions);
    }
}

#endif
