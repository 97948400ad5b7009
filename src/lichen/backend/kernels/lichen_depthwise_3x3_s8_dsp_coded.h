/* lichen_depthwise_3x3_s8_dsp.h with coded weights, in the order of that file: all of them are decoded into scratch first. */
#ifndef LICHEN_DEPTHWISE_3X3_S8_DSP_CODED_H
#define LICHEN_DEPTHWISE_3X3_S8_DSP_CODED_H

#include "lichen_decoder.h"
#include "lichen_depthwise_3x3_s8_dsp.h"

typedef lichen_depthwise_3x3_s8_dsp_params lichen_depthwise_3x3_s8_dsp_coded_params;

LICHEN_KERNEL void lichen_depthwise_3x3_s8_dsp_coded(const lichen_depthwise_3x3_s8_dsp_coded_params *p, lichen_view_s8 in, lichen_view_s8 out,
    const lichen_coded *weights, const int32_t *channels, int8_t *decoded, int row_begin, int row_end)
{
    lichen_decode_all(weights, decoded, (p->in_c + 3) / 4 * 40);
    lichen_depthwise_3x3_s8_dsp(p, in, out, decoded, channels, row_begin, row_end);
}

#endif
