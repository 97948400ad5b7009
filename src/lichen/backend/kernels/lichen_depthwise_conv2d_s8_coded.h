/* lichen_depthwise_conv2d_s8.h with coded weights, in the order of that file: all of them are decoded into scratch first. */
#ifndef LICHEN_DEPTHWISE_CONV2D_S8_CODED_H
#define LICHEN_DEPTHWISE_CONV2D_S8_CODED_H

#include "lichen_decoder.h"
#include "lichen_depthwise_conv2d_s8.h"

typedef lichen_window_s8_params lichen_depthwise_conv2d_s8_coded_params;

LICHEN_KERNEL void lichen_depthwise_conv2d_s8_coded(const lichen_depthwise_conv2d_s8_coded_params *p, lichen_view_s8 in, lichen_view_s8 out,
    const lichen_coded *weights, const int32_t *bias, const int32_t *multiplier, const int8_t *shift, int8_t *decoded, int row_begin, int row_end)
{
    lichen_decode_all(weights, decoded, p->out_c * p->kernel_h * p->kernel_w);
    lichen_depthwise_conv2d_s8(p, in, out, decoded, bias, multiplier, shift, row_begin, row_end);
}

#endif
