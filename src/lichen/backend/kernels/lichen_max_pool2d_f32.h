/* float32 maximum pooling, NHWC. Padding does not count. */
#ifndef LICHEN_MAX_POOL2D_F32_H
#define LICHEN_MAX_POOL2D_F32_H

#include "lichen_view.h"
#include "lichen_window.h"

typedef struct {
    int32_t in_length, out_length; /* elements from one row to the next */
    int16_t in_h, in_w, in_c;
    int16_t out_w;
    int16_t kernel_h, kernel_w, stride_h, stride_w, pad_top, pad_left;
    float low, high;
} lichen_max_pool2d_f32_params;

LICHEN_KERNEL void lichen_max_pool2d_f32(
    const lichen_max_pool2d_f32_params *p, lichen_view_f32 in, lichen_view_f32 out, int row_begin, int row_end)
{
    for (int oy = row_begin; oy < row_end; oy++) {
        float *result = lichen_row_f32(out, oy, (int)p->out_length);
        const int y = oy * p->stride_h - p->pad_top;
        const lichen_span rows = lichen_taps_inside(y, 1, p->kernel_h, p->in_h);
        for (int ox = 0; ox < p->out_w; ox++) {
            const int x = ox * p->stride_w - p->pad_left;
            const lichen_span columns = lichen_taps_inside(x, 1, p->kernel_w, p->in_w);
            const int first = (x + columns.begin) * p->in_c;
            for (int c = 0; c < p->in_c; c++) {
                float largest = lichen_row_f32(in, y + rows.begin, (int)p->in_length)[first + c];
                for (int ky = rows.begin; ky < rows.end; ky++) {
                    const float *tap = lichen_row_f32(in, y + ky, (int)p->in_length) + first + c;
                    for (int n = columns.end - columns.begin; n > 0; n--, tap += p->in_c) {
                        largest = *tap > largest ? *tap : largest;
                    }
                }
                *result++ = lichen_clamp_f32(largest, p->low, p->high);
            }
        }
    }
}

#endif
