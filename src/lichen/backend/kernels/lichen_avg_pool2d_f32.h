/* float32 average pooling, NHWC. Padding does not count. Sums in order of rows and columns, then divides. */
#ifndef LICHEN_AVG_POOL2D_F32_H
#define LICHEN_AVG_POOL2D_F32_H

#include "lichen_view.h"
#include "lichen_window.h"

typedef struct {
    int32_t in_length, out_length; /* elements from one row to the next */
    int16_t in_h, in_w, in_c;
    int16_t out_w;
    int16_t kernel_h, kernel_w, stride_h, stride_w, pad_top, pad_left;
    float low, high;
} lichen_avg_pool2d_f32_params;

LICHEN_KERNEL void lichen_avg_pool2d_f32(
    const lichen_avg_pool2d_f32_params *p, lichen_view_f32 in, lichen_view_f32 out, int row_begin, int row_end)
{
    for (int oy = row_begin; oy < row_end; oy++) {
        float *result = lichen_row_f32(out, oy, (int)p->out_length);
        const int y = oy * p->stride_h - p->pad_top;
        const lichen_span rows = lichen_taps_inside(y, 1, p->kernel_h, p->in_h);
        for (int ox = 0; ox < p->out_w; ox++) {
            const int x = ox * p->stride_w - p->pad_left;
            const lichen_span columns = lichen_taps_inside(x, 1, p->kernel_w, p->in_w);
            const float count = (float)(rows.end - rows.begin) * (float)(columns.end - columns.begin);
            for (int c = 0; c < p->in_c; c++) {
                float sum = 0.0f;
                for (int ky = rows.begin; ky < rows.end; ky++) {
                    const float *tap = lichen_row_f32(in, y + ky, (int)p->in_length) + (x + columns.begin) * p->in_c + c;
                    for (int n = columns.end - columns.begin; n > 0; n--, tap += p->in_c) {
                        sum += *tap;
                    }
                }
                *result++ = lichen_clamp_f32(sum / count, p->low, p->high);
            }
        }
    }
}

#endif
