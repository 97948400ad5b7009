/* lichen_depthwise_conv2d_s8_mve.h with coded weights, in the order of that file: all of them are decoded into scratch first. */
#ifndef LICHEN_DEPTHWISE_CONV2D_S8_MVE_CODED_H
#define LICHEN_DEPTHWISE_CONV2D_S8_MVE_CODED_H

#include "lichen_decoder.h"
#include "lichen_depthwise_conv2d_s8_mve.h"

typedef lichen_depthwise_conv2d_s8_mve_params lichen_depthwise_conv2d_s8_mve_coded_params;

LICHEN_KERNEL void lichen_depthwise_conv2d_s8_mve_coded(const lichen_depthwise_conv2d_s8_mve_coded_params *p, lichen_view_s8 in, lichen_view_s8 out,
    const lichen_coded *weights, const int32_t *channels, int8_t *scratch, int8_t *decoded, int row_begin, int row_end)
{
    lichen_decode_all(weights, decoded, (p->out_c + 7) / 8 * 8 * p->taps);
    lichen_depthwise_conv2d_s8_mve(p, in, out, decoded, channels, scratch, row_begin, row_end);
}

#endif
