/* float32 to int8: round(x / scale), halves away from zero, plus the zero point, saturating; not-a-number becomes -128. */
#ifndef LICHEN_QUANTIZE_F32_H
#define LICHEN_QUANTIZE_F32_H

#include <math.h>

#include "lichen_common.h"

typedef struct {
    int32_t count;
    float scale;
    int16_t zero;
} lichen_quantize_f32_params;

LICHEN_KERNEL void lichen_quantize_f32(const lichen_quantize_f32_params *p, const float *in, int8_t *out)
{
    const int count = (int)p->count;
    const float scale = p->scale;
    const int zero = p->zero;
    const float low = (float)(-128 - zero);
    const float high = (float)(127 - zero);
    for (int i = 0; i < count; i++) {
        const float rounded = roundf(in[i] / scale);
        const float limited = rounded > low ? (rounded < high ? rounded : high) : low;
        out[i] = (int8_t)((int)limited + zero);
    }
}

#endif
