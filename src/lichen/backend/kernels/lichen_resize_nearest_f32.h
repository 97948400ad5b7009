/* float32 nearest-neighbour resizing, NHWC. row, column: the source of each output row and column, computed at compile time. */
#ifndef LICHEN_RESIZE_NEAREST_F32_H
#define LICHEN_RESIZE_NEAREST_F32_H

#include <string.h>

#include "lichen_view.h"

typedef struct {
    int16_t in_w, in_c, out_w;
} lichen_resize_nearest_f32_params;

LICHEN_KERNEL void lichen_resize_nearest_f32(const lichen_resize_nearest_f32_params *p, lichen_view_f32 in, lichen_view_f32 out,
    const int16_t *row, const int16_t *column, int row_begin, int row_end)
{
    for (int oy = row_begin; oy < row_end; oy++) {
        const float *from = lichen_row_f32(in, lichen_flash_s16(row + oy), p->in_w * p->in_c);
        float *to = lichen_row_f32(out, oy, p->out_w * p->in_c);
        for (int ox = 0; ox < p->out_w; ox++, to += p->in_c) {
            memcpy(to, from + lichen_flash_s16(column + ox) * p->in_c, (size_t)p->in_c * sizeof *to);
        }
    }
}

#endif
