/* Coded weights for lichen_dot_v6m.h: words of four channels, 128 added to all but the last. */
#ifndef LICHEN_DECODE_V6M_H
#define LICHEN_DECODE_V6M_H

#include "lichen_decoder.h"

/* All `words` words of `coded`. */
LICHEN_LOOP void lichen_decode_all_v6m(const lichen_coded *coded, int8_t *to, int words)
{
    int32_t *word = (int32_t *)(void *)to;
    lichen_decode_all(coded, to, 4 * words);
    for (int i = 0; i < words; i++, word++) {
        *word = (int32_t)((uint32_t)*word ^ 0x00808080u);
    }
}

#endif
