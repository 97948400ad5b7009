/* Coded weights for lichen_products_dsp.h: the words of a pair of channels hold the weights A, B, A, B of two elements as lanes 256 * B + A. */
#ifndef LICHEN_DECODE_DSP_H
#define LICHEN_DECODE_DSP_H

#include "lichen_decoder.h"

/* The next `pairs` pairs of channels with `words` words each. `ends` has six numbers for each pair: what lies in front of the words, and five
   behind them. */
LICHEN_LOOP void lichen_decode_pairs_dsp(lichen_decoder *decoder, const int32_t *ends, int32_t *to, int pairs, int words)
{
    for (; pairs > 0; pairs--) {
        *to++ = lichen_flash_s32(ends++);
        lichen_decode(decoder, (int8_t *)to, 4 * words);
        for (int i = 0; i < words; i++) {
            /* From B goes one where A is below zero, in both lanes. */
            const uint32_t bytes = (uint32_t)*to, borrows = (bytes & 0x00800080u) << 1;
            *to++ = (int32_t)(((bytes | 0x80008000u) - borrows) ^ (~bytes & 0x80008000u));
        }
        for (int i = 0; i < 5; i++) {
            *to++ = lichen_flash_s32(ends++);
        }
    }
}

/* All pairs of `coded`. */
LICHEN_LOOP void lichen_decode_all_pairs_dsp(const lichen_coded *coded, const int32_t *ends, int8_t *to, int pairs, int words)
{
    lichen_decoder decoder;
    lichen_decoder_begin(&decoder, coded);
    lichen_decode_pairs_dsp(&decoder, ends, (int32_t *)(void *)to, pairs, words);
}

#endif
