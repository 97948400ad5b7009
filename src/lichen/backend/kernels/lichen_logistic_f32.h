/* float32: 1 / (1 + exp(-x)). */
#ifndef LICHEN_LOGISTIC_F32_H
#define LICHEN_LOGISTIC_F32_H

#include <math.h>

#include "lichen_common.h"

typedef struct {
    int32_t count;
} lichen_logistic_f32_params;

LICHEN_KERNEL void lichen_logistic_f32(const lichen_logistic_f32_params *p, const float *in, float *out)
{
    const int count = (int)p->count;
    for (int i = 0; i < count; i++) {
        out[i] = 1.0f / (1.0f + expf(-in[i]));
    }
}

#endif
