/* float32: tanh(x). */
#ifndef LICHEN_TANH_F32_H
#define LICHEN_TANH_F32_H

#include <math.h>

#include "lichen_common.h"

typedef struct {
    int32_t count;
} lichen_tanh_f32_params;

LICHEN_KERNEL void lichen_tanh_f32(const lichen_tanh_f32_params *p, const float *in, float *out)
{
    const int count = (int)p->count;
    for (int i = 0; i < count; i++) {
        out[i] = tanhf(in[i]);
    }
}

#endif
