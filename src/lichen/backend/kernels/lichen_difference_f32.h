/* float32: factor * (a - b), or with `sign` factor times the sign of the difference. */
#ifndef LICHEN_DIFFERENCE_F32_H
#define LICHEN_DIFFERENCE_F32_H

#include "lichen_common.h"

typedef struct {
    int32_t count;
    int16_t sign;
    float factor;
} lichen_difference_f32_params;

LICHEN_KERNEL void lichen_difference_f32(const lichen_difference_f32_params *p, const float *a, const float *b, float *out)
{
    const int count = (int)p->count;
    const int sign = p->sign;
    const float factor = p->factor;
    for (int i = 0; i < count; i++) {
        const float difference = a[i] - b[i];
        if (sign) {
            out[i] = difference > 0.0f ? factor : difference < 0.0f ? -factor : 0.0f;
        } else {
            out[i] = factor * difference;
        }
    }
}

#endif
