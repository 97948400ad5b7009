/* int8 nearest-neighbour resizing, NHWC. row, column: the source of each output row and column, computed at compile time. */
#ifndef LICHEN_RESIZE_NEAREST_S8_H
#define LICHEN_RESIZE_NEAREST_S8_H

#include <string.h>

#include "lichen_view.h"

typedef struct {
    int16_t in_w, in_c, out_w;
} lichen_resize_nearest_s8_params;

LICHEN_KERNEL void lichen_resize_nearest_s8(const lichen_resize_nearest_s8_params *p, lichen_view_s8 in, lichen_view_s8 out,
    const int16_t *row, const int16_t *column, int row_begin, int row_end)
{
    for (int oy = row_begin; oy < row_end; oy++) {
        const int8_t *from = lichen_row_s8(in, lichen_flash_s16(row + oy), p->in_w * p->in_c);
        int8_t *to = lichen_row_s8(out, oy, p->out_w * p->in_c);
        for (int ox = 0; ox < p->out_w; ox++, to += p->in_c) {
            memcpy(to, from + lichen_flash_s16(column + ox) * p->in_c, (size_t)p->in_c * sizeof *to);
        }
    }
}

#endif
