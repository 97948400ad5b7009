/* Cuts an operand of any element type into up to ten results: of each row, `bytes` go to each in turn. Unused results may be any
   address. */
#ifndef LICHEN_SPLIT_H
#define LICHEN_SPLIT_H

#include "lichen_move.h"

#define LICHEN_SPLIT_MOST 10

typedef struct {
    int32_t rows;
    int16_t count, in_flash;
    int32_t bytes0, bytes1, bytes2, bytes3, bytes4, bytes5, bytes6, bytes7, bytes8, bytes9;
} lichen_split_params;

LICHEN_KERNEL void lichen_split(const lichen_split_params *p, const void *in, void *out0, void *out1, void *out2, void *out3,
    void *out4, void *out5, void *out6, void *out7, void *out8, void *out9)
{
    const int rows = (int)p->rows;
    const int bytes[LICHEN_SPLIT_MOST] = {(int)p->bytes0, (int)p->bytes1, (int)p->bytes2, (int)p->bytes3, (int)p->bytes4,
        (int)p->bytes5, (int)p->bytes6, (int)p->bytes7, (int)p->bytes8, (int)p->bytes9};
    void *const results[LICHEN_SPLIT_MOST] = {out0, out1, out2, out3, out4, out5, out6, out7, out8, out9};
    const int8_t *from = (const int8_t *)in;
    for (int row = 0; row < rows; row++) {
        for (int k = 0; k < p->count; k++) {
            lichen_move((int8_t *)results[k] + row * bytes[k], from, bytes[k], p->in_flash);
            from += bytes[k];
        }
    }
}

#endif
