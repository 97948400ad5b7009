/* int8 to float32: scale * (x - zero). */
#ifndef LICHEN_DEQUANTIZE_S8_H
#define LICHEN_DEQUANTIZE_S8_H

#include "lichen_common.h"

typedef struct {
    int32_t count;
    float scale;
    int16_t zero;
} lichen_dequantize_s8_params;

LICHEN_KERNEL void lichen_dequantize_s8(const lichen_dequantize_s8_params *p, const int8_t *in, float *out)
{
    const int count = (int)p->count;
    const float scale = p->scale;
    const int zero = p->zero;
    for (int i = 0; i < count; i++) {
        out[i] = scale * (float)(in[i] - zero);
    }
}

#endif
