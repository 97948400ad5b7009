/* int8 convolution, NHWC, per-channel scales, for ARMv6-M: four output channels share each load of the input (`lichen_dot_v6m.h`).
   weights: words [out_c / 4, rounded up][kernel_h][kernel_w][in_c]; ends: [out_c][3], the bias with -in_zero * (sum of the channel's weights)
   folded in, the multiplier, and one bit less than the shift to the right. */
#ifndef LICHEN_CONV2D_S8_V6M_H
#define LICHEN_CONV2D_S8_V6M_H

#include "lichen_dot_v6m.h"

typedef lichen_window_s8_params lichen_conv2d_s8_v6m_params;

LICHEN_KERNEL void lichen_conv2d_s8_v6m(const lichen_conv2d_s8_v6m_params *p, lichen_view_s8 in, lichen_view_s8 out, const int32_t *weights,
    const int32_t *ends, int row_begin, int row_end)
{
    const int taps = p->kernel_h * p->kernel_w * p->in_c;
    for (int oy = row_begin; oy < row_end; oy++) {
        int8_t *pixel = lichen_row_s8(out, oy, (int)p->out_length);
        const int y = oy * p->stride_h - p->pad_top;
        for (int ox = 0; ox < p->out_w; ox++, pixel += p->out_c) {
            const lichen_patch_s8 patch = lichen_patch_at_s8(p, in, y, ox * p->stride_w - p->pad_left, p->in_c);
            const int run = patch.tap_step == p->in_c ? patch.inside : p->in_c; /* without dilation a row of taps is one run */
            const int32_t inputs = lichen_window_sum_v6m(&patch, run, taps, p->in_zero);
            const int32_t *words = weights;
            lichen_rows_v6m at = lichen_rows_of_v6m(&patch, run);
            for (int c = 0; c < p->out_c; c += 4, words += taps) {
                const int32_t *column = words + patch.above + patch.before;
                lichen_raw_v6m raw;
                int32_t acc[4];
                raw.a = raw.b = raw.c = raw.d = 0;
                if (lichen_patch_has_padding_s8(&patch)) {
                    lichen_padding_v6m(&patch, words, p->in_zero, &raw);
                }
                for (int left = at.rows > 0 ? patch.inside : 0, end = patch.offset + run; left > 0; left -= run) {
                    lichen_dot_v6m(&raw, &at, patch.data, end, column);
                    end += patch.tap_step;
                    column += run;
                }
                lichen_sums_v6m(&raw, inputs, acc);
                lichen_end_v6m(acc, ends + 3 * c, p->out_c - c < 4 ? p->out_c - c : 4, p->out_zero, p->low, p->high, pixel + c);
            }
        }
    }
}

#endif
