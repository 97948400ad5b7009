/* float32 to int8: round(x / scale), halves away from zero, plus the zero point, saturating; not-a-number becomes -128. */
#ifndef LICHEN_QUANTIZE_F32_H
#define LICHEN_QUANTIZE_F32_H

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
        const float quotient = in[i] / scale;
        const float limited = quotient > low ? (quotient < high ? quotient : high) : low;
        const int halves = (int)(limited * 2.0f); /* towards zero; roundf would be a call of a library */
        out[i] = (int8_t)(((halves + (halves >= 0 ? 1 : 0)) >> 1) + zero);
    }
}

#endif
