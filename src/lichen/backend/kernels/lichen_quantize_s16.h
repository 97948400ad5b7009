/* int16 to int8: x under another scale and zero point. */
#ifndef LICHEN_QUANTIZE_S16_H
#define LICHEN_QUANTIZE_S16_H

#include "lichen_fixed_point.h"

typedef struct {
    int32_t count;
    int32_t in_zero, mantissa;
    int16_t shift, out_zero;
} lichen_quantize_s16_params;

LICHEN_KERNEL void lichen_quantize_s16(const lichen_quantize_s16_params *p, const int16_t *in, int8_t *out)
{
    const int count = (int)p->count;
    const int32_t in_zero = p->in_zero;
    const int32_t mantissa = p->mantissa;
    const int shift = p->shift;
    const int out_zero = p->out_zero;
    for (int i = 0; i < count; i++) {
        out[i] = lichen_clamp_s8(lichen_requantise(in[i] - in_zero, mantissa, shift) + out_zero, -128, 127);
    }
}

#endif
