/* int8 fully connected layer whose weights (out_c, in_c) are coded in flash: each is decoded, multiplied and forgotten. In the sparse form
   zeros cost nothing but the gaps that tell of them.
   bias: [out_c], with -in_zero * (sum of the channel's weights) folded in. */
#ifndef LICHEN_DENSE_S8_CODED_H
#define LICHEN_DENSE_S8_CODED_H

#include "lichen_channels_s8.h"
#include "lichen_decoder.h"
#include "lichen_dot_s8.h"

typedef struct {
    int16_t batch, in_c, out_c;
    int16_t out_zero, low, high;
} lichen_dense_s8_coded_params;

/* One row of the batch, from weights with a word each. */
LICHEN_LOOP void lichen_dense_row_s8(lichen_decoder *decoder, const lichen_channels_s8 *channels, const int8_t *in, int inputs,
    int8_t *out, int outputs)
{
    lichen_bits bits = decoder->bits;
    for (int c = 0; c < outputs; c++) {
        int32_t sum = lichen_flash_s32(channels->bias + c);
        for (int i = 0; i < inputs; i++) {
            lichen_dot_one_s8(&sum, in[i], lichen_next_symbol(&bits, &decoder->values));
        }
        out[c] = lichen_channel_end_s8(channels, sum, c);
    }
}

/* One row of the batch, from weights that are not zero and the gaps between them, which run on from channel to channel. */
LICHEN_LOOP void lichen_sparse_row_s8(lichen_decoder *decoder, const lichen_channels_s8 *channels, const int8_t *in, int inputs,
    int8_t *out, int outputs)
{
    lichen_bits bits = decoder->bits;
    uint8_t gap = (uint8_t)lichen_next_symbol(&bits, &decoder->gaps);
    int at = gap;
    for (int c = 0; c < outputs; c++) {
        int32_t sum = lichen_flash_s32(channels->bias + c);
        while (at < inputs) {
            if (gap != decoder->escape) {
                lichen_dot_one_s8(&sum, in[at++], lichen_next_symbol(&bits, &decoder->values));
            }
            gap = (uint8_t)lichen_next_symbol(&bits, &decoder->gaps);
            at += gap;
        }
        at -= inputs;
        out[c] = lichen_channel_end_s8(channels, sum, c);
    }
}

LICHEN_KERNEL void lichen_dense_s8_coded(const lichen_dense_s8_coded_params *p, const int8_t *in, int8_t *out, const lichen_coded *weights,
    const int32_t *bias, const int32_t *multiplier, const int8_t *shift)
{
    const lichen_channels_s8 channels = lichen_channels_of_s8(bias, multiplier, shift, p->out_zero, p->low, p->high);
    for (int row = 0; row < p->batch; row++, in += p->in_c, out += p->out_c) {
        lichen_decoder decoder;
        lichen_decoder_begin(&decoder, weights);
        if (weights->escape) {
            lichen_sparse_row_s8(&decoder, &channels, in, p->in_c, out, p->out_c);
        } else {
            lichen_dense_row_s8(&decoder, &channels, in, p->in_c, out, p->out_c);
        }
    }
}

#endif
