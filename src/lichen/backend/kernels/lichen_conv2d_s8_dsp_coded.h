/* lichen_conv2d_s8_dsp.h with coded weights: so many output channels at a time are decoded into scratch and computed, all rows of them.
   weights: in the order of lichen_conv2d_s8_dsp.h; ends: see lichen_decode_dsp.h. decoded: the words and ends of `weights->channels`
   channels, an even number or all. */
#ifndef LICHEN_CONV2D_S8_DSP_CODED_H
#define LICHEN_CONV2D_S8_DSP_CODED_H

#include "lichen_conv2d_s8_dsp.h"
#include "lichen_decode_dsp.h"

typedef lichen_conv2d_s8_dsp_params lichen_conv2d_s8_dsp_coded_params;

LICHEN_KERNEL void lichen_conv2d_s8_dsp_coded(const lichen_conv2d_s8_dsp_coded_params *p, lichen_view_s8 in, lichen_view_s8 out,
    const lichen_coded *weights, const int32_t *ends, int8_t *scratch, int8_t *decoded, int row_begin, int row_end)
{
    int32_t *const pairs = (int32_t *)(void *)decoded;
    lichen_decoder decoder;
    lichen_decoder_begin(&decoder, weights);
    for (int c = 0; c < p->out_c; c += weights->channels) {
        const int count = p->out_c - c < weights->channels ? p->out_c - c : weights->channels;
        lichen_decode_pairs_dsp(&decoder, ends + 3 * c, pairs, (count + 1) / 2, p->words);
        lichen_conv2d_channels_s8_dsp(p, in, out, pairs, scratch, c, count, row_begin, row_end);
    }
}

#endif
