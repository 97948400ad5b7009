/* int8 maximum pooling, NHWC. Padding does not count. */
#ifndef LICHEN_MAX_POOL2D_S8_H
#define LICHEN_MAX_POOL2D_S8_H

#include "lichen_view.h"
#include "lichen_window.h"

typedef struct {
    int32_t in_length, out_length; /* elements from one row to the next */
    int16_t in_h, in_w, in_c;
    int16_t out_w;
    int16_t kernel_h, kernel_w, stride_h, stride_w, pad_top, pad_left;
    int16_t low, high;
} lichen_max_pool2d_s8_params;

LICHEN_KERNEL void lichen_max_pool2d_s8(
    const lichen_max_pool2d_s8_params *p, lichen_view_s8 in, lichen_view_s8 out, int row_begin, int row_end)
{
    for (int oy = row_begin; oy < row_end; oy++) {
        int8_t *result = lichen_row_s8(out, oy, (int)p->out_length);
        const int y = oy * p->stride_h - p->pad_top;
        const lichen_span rows = lichen_taps_inside(y, 1, p->kernel_h, p->in_h);
        for (int ox = 0; ox < p->out_w; ox++) {
            const int x = ox * p->stride_w - p->pad_left;
            const lichen_span columns = lichen_taps_inside(x, 1, p->kernel_w, p->in_w);
            for (int c = 0; c < p->in_c; c++) {
                int largest = -128;
                for (int ky = rows.begin; ky < rows.end; ky++) {
                    const int8_t *tap = lichen_row_s8(in, y + ky, (int)p->in_length) + (x + columns.begin) * p->in_c + c;
                    for (int n = columns.end - columns.begin; n > 0; n--, tap += p->in_c) {
                        largest = *tap > largest ? *tap : largest;
                    }
                }
                *result++ = lichen_clamp_s8(largest, p->low, p->high);
            }
        }
    }
}

#endif
