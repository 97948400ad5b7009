/* Joins up to ten operands of any element type: for each row, `bytes` of each in turn. Unused operands may be any address. */
#ifndef LICHEN_CONCAT_H
#define LICHEN_CONCAT_H

#include "lichen_move.h"

#define LICHEN_CONCAT_MOST 10

typedef struct {
    int32_t rows;
    int16_t count, flash_mask; /* operands, and which of them are in flash: bit k for operand k */
    int32_t bytes0, bytes1, bytes2, bytes3, bytes4, bytes5, bytes6, bytes7, bytes8, bytes9;
} lichen_concat_params;

LICHEN_KERNEL void lichen_concat(const lichen_concat_params *p, const void *in0, const void *in1, const void *in2, const void *in3,
    const void *in4, const void *in5, const void *in6, const void *in7, const void *in8, const void *in9, void *out)
{
    const int rows = (int)p->rows;
    const int bytes[LICHEN_CONCAT_MOST] = {(int)p->bytes0, (int)p->bytes1, (int)p->bytes2, (int)p->bytes3, (int)p->bytes4,
        (int)p->bytes5, (int)p->bytes6, (int)p->bytes7, (int)p->bytes8, (int)p->bytes9};
    const void *const operands[LICHEN_CONCAT_MOST] = {in0, in1, in2, in3, in4, in5, in6, in7, in8, in9};
    int8_t *to = (int8_t *)out;
    for (int row = 0; row < rows; row++) {
        for (int k = 0; k < p->count; k++) {
            lichen_move(to, (const int8_t *)operands[k] + row * bytes[k], bytes[k], (p->flash_mask >> k) & 1);
            to += bytes[k];
        }
    }
}

#endif
