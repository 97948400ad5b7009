/* lichen_depthwise_conv2d_s8.h with coded weights: all of them are decoded into scratch first. They are in the order of that file, on AVR
   channel by channel. */
#ifndef LICHEN_DEPTHWISE_CONV2D_S8_CODED_H
#define LICHEN_DEPTHWISE_CONV2D_S8_CODED_H

#include "lichen_decoded_avr.h"
#include "lichen_decoder.h"
#include "lichen_depthwise_conv2d_s8.h"

typedef lichen_window_s8_params lichen_depthwise_conv2d_s8_coded_params;

LICHEN_KERNEL void lichen_depthwise_conv2d_s8_coded(const lichen_depthwise_conv2d_s8_coded_params *p, lichen_view_s8 in, lichen_view_s8 out,
    const lichen_coded *weights, const int32_t *bias, const int32_t *multiplier, const int8_t *shift, int8_t *decoded, int row_begin,
    int row_end)
{
    lichen_decode_all(weights, decoded, p->out_c * p->kernel_h * p->kernel_w);
#if defined(__AVR__)
    const lichen_channels_s8 channels = lichen_channels_of_s8(bias, multiplier, shift, p->out_zero, p->low, p->high);
    lichen_decoded_channels_avr(p, in, out, decoded, &channels, 1, 0, p->out_c, row_begin, row_end);
#else
    lichen_depthwise_conv2d_s8(p, in, out, decoded, bias, multiplier, shift, row_begin, row_end);
#endif
}

#endif
