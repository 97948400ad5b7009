/* int16 to int8 on cores with DSP instructions, by a ratio below one half: 6.75 instructions an element. Requantised as in
   lichen_requantise_dsp.h, four at a time, which are read before their results are written. */
#ifndef LICHEN_QUANTIZE_S16_DSP_H
#define LICHEN_QUANTIZE_S16_DSP_H

#include "lichen_four_dsp.h"
#include "lichen_requantise_dsp.h"

typedef struct {
    int32_t count;
    int32_t in_zero, doubled, shift; /* the last two as in lichen_scale_dsp */
    int16_t out_zero;
} lichen_quantize_s16_dsp_params;

LICHEN_INLINE int32_t lichen_quantize_s16_element_dsp(const lichen_quantize_s16_dsp_params *p, int32_t x)
{
    lichen_scale_dsp scale;
    scale.doubled = p->doubled;
    scale.shift = p->shift;
    return lichen_ssat8(lichen_requantise_dsp(scale, x - p->in_zero, p->out_zero, LICHEN_BELOW_HALF));
}

LICHEN_KERNEL void lichen_quantize_s16_dsp(const lichen_quantize_s16_dsp_params *p, const int16_t *in, int8_t *out)
{
    const lichen_quantize_s16_dsp_params local = *p; /* out might alias p */
    const int n = (int)local.count;
    const int16_t *const end = in + n, *const fours_end = in + (n & ~3);
    for (; in != fours_end; in += 4, out += 4) {
        const int32_t y0 = lichen_quantize_s16_element_dsp(&local, in[0]), y1 = lichen_quantize_s16_element_dsp(&local, in[1]);
        const int32_t y2 = lichen_quantize_s16_element_dsp(&local, in[2]), y3 = lichen_quantize_s16_element_dsp(&local, in[3]);
        lichen_store_word(out, lichen_four_dsp(y0, y1, y2, y3));
    }
    for (; in != end; in++) {
        *out++ = (int8_t)lichen_quantize_s16_element_dsp(&local, *in);
    }
}

#endif
