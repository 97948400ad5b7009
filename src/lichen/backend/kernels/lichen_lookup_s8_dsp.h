/* Any function of one byte, four at a time: 3.75 instructions an element. out[i] = table[bit pattern of in[i]]. Also serves uint8 in or
   out. Four elements are read before their results are written, as one word. */
#ifndef LICHEN_LOOKUP_S8_DSP_H
#define LICHEN_LOOKUP_S8_DSP_H

#include "lichen_four_dsp.h"

typedef struct {
    int32_t count;
} lichen_lookup_s8_dsp_params;

/* The loop of all layers. */
LICHEN_LOOP void lichen_lookup_run_dsp(const uint8_t *x, int8_t *y, const int8_t *table, int n)
{
    int8_t *const end = y + n, *const fours_end = y + (n & ~3);
    for (; y != fours_end; x += 4, y += 4) {
        const int8_t y0 = table[x[0]], y1 = table[x[1]], y2 = table[x[2]], y3 = table[x[3]];
        lichen_store_word(y, lichen_four_dsp(y0, y1, y2, y3));
    }
    for (; y != end; x++, y++) {
        *y = table[*x];
    }
}

LICHEN_KERNEL void lichen_lookup_s8_dsp(const lichen_lookup_s8_dsp_params *p, const void *in, void *out, const int8_t *table)
{
    lichen_lookup_run_dsp((const uint8_t *)in, (int8_t *)out, table, (int)p->count);
}

#endif
