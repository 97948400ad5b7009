/* lichen_conv2d_s8.h with coded weights: so many output channels at a time are decoded into scratch and computed, all rows of them.
   weights: in the order of lichen_conv2d_s8.h, on AVR channel by channel. decoded: those of `weights->channels` channels, all or a multiple of
   as many as lie in a block. */
#ifndef LICHEN_CONV2D_S8_CODED_H
#define LICHEN_CONV2D_S8_CODED_H

#include "lichen_conv2d_s8.h"
#include "lichen_decoded_avr.h"
#include "lichen_decoder.h"

typedef lichen_window_s8_params lichen_conv2d_s8_coded_params;

LICHEN_KERNEL void lichen_conv2d_s8_coded(const lichen_conv2d_s8_coded_params *p, lichen_view_s8 in, lichen_view_s8 out,
    const lichen_coded *weights, const int32_t *bias, const int32_t *multiplier, const int8_t *shift, int8_t *decoded, int row_begin,
    int row_end)
{
#if defined(__AVR__)
    const lichen_channels_s8 channels = lichen_channels_of_s8(bias, multiplier, shift, p->out_zero, p->low, p->high);
#endif
    lichen_decoder decoder;
    lichen_decoder_begin(&decoder, weights);
    for (int c = 0; c < p->out_c; c += weights->channels) {
        const int end = p->out_c - c < weights->channels ? p->out_c : c + weights->channels;
        lichen_decode(&decoder, decoded, (end - c) * p->kernel_h * p->kernel_w * p->in_c);
#if defined(__AVR__)
        lichen_decoded_channels_avr(p, in, out, decoded, &channels, 0, c, end, row_begin, row_end);
#else
        lichen_conv2d_channels_s8(p, in, out, decoded, bias, multiplier, shift, c, end, row_begin, row_end);
#endif
    }
}

#endif
