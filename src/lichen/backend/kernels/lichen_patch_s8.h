/* The part of a sliding window that lies inside the input, and its products with the weights of one or four output channels (`width`).

   How this works inside: where the window lies is worked out once a pixel; each block of channels then runs one loop that has all
   registers to itself. Weights are [kernel_h][kernel_w][unit][width], where `unit` is in_c for a convolution and 1 for a depthwise one.
   The bias has -in_zero * (sum of the weights) folded in, so taps outside the input must count as in_zero. */
#ifndef LICHEN_PATCH_S8_H
#define LICHEN_PATCH_S8_H

#include "lichen_dot_avr.h"
#include "lichen_dot_s8.h"
#include "lichen_view.h"
#include "lichen_window.h"

/* The params of all int8 convolutions. */
typedef struct {
    int32_t in_length, out_length; /* elements from one row to the next */
    int16_t in_h, in_w, in_c;
    int16_t out_w, out_c;
    int16_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
    int16_t in_zero, out_zero, low, high;
    int16_t block; /* 4 if weights come in blocks of four channels, as many as there are; 1 if channel by channel */
} lichen_window_s8_params;

typedef struct {
    const int8_t *data;        /* of the view */
    int ring, row_step, jump;  /* bytes of the view, from one row of taps to the next, and on behind the view's end */
    int offset;                /* of the first tap inside */
    int rows, taps, tap_step;  /* how many rows and columns of taps lie inside, and how far columns lie apart */
    int before, inside, after; /* weights of one kernel row that are left of, inside and right of the input */
    int above, below;          /* weights of the kernel rows above and below the input */
#if defined(__AVR__)
    lichen_rows_avr at; /* if each row of taps is one run */
#endif
} lichen_patch_s8;

/* The window whose first tap is at input (y, x). */
LICHEN_FOLDED lichen_patch_s8 lichen_patch_at_s8(const lichen_window_s8_params *p, lichen_view_s8 in, int y, int x, int unit)
{
    const lichen_span rows = lichen_taps_inside(y, p->dilation_h, p->kernel_h, p->in_h);
    const lichen_span columns = lichen_taps_inside(x, p->dilation_w, p->kernel_w, p->in_w);
    const int row = y + rows.begin * p->dilation_h - in.first, length = (int)p->in_length;
    const int place = row < in.rows ? row * length : in.newest ? in.newest : row % in.rows * length;
    lichen_patch_s8 patch;
    patch.data = in.data;
    patch.ring = in.rows * length;
    patch.row_step = p->dilation_h * length;
    patch.jump = in.newest ? in.newest - patch.ring : -patch.ring;
    patch.offset = place + (x + columns.begin * p->dilation_w) * p->in_c;
    patch.rows = rows.end - rows.begin;
    patch.taps = columns.end - columns.begin;
    patch.tap_step = p->dilation_w * p->in_c;
    patch.before = columns.begin * unit;
    patch.inside = patch.taps * unit;
    patch.after = (p->kernel_w - columns.end) * unit;
    patch.above = rows.begin * p->kernel_w * unit;
    patch.below = (p->kernel_h - rows.end) * p->kernel_w * unit;
#if defined(__AVR__)
    patch.at.x_end = in.data + patch.ring;
    patch.at.x_gap = patch.row_step - patch.taps * patch.tap_step;
    patch.at.jump = patch.jump;
    patch.at.w_gap = (patch.before + patch.after) * 4;
#endif
    return patch;
}

/* From one row of taps to the next. */
LICHEN_INLINE int lichen_patch_next_row_s8(const lichen_patch_s8 *patch, int offset)
{
    offset += patch->row_step;
    return offset < patch->ring ? offset : offset + patch->jump;
}

/* Sums are only ever indexed by constants, so that they live in registers. */
LICHEN_INLINE void lichen_patch_load_s8(int32_t *sum, const int32_t *acc, int width)
{
    sum[0] = acc[0];
    if (width == 4) {
        sum[1] = acc[1];
        sum[2] = acc[2];
        sum[3] = acc[3];
    }
}

/* acc[b] += in_zero * sum of the weights outside the input. */
LICHEN_INLINE void lichen_patch_padding_s8(const lichen_patch_s8 *patch, const int8_t *w, int in_zero, int32_t *acc, int width)
{
    int32_t sum[4] = {0, 0, 0, 0};
    int n = patch->above + (patch->rows > 0 ? patch->before : patch->below);
    for (int row = patch->rows;; row--) {
        for (; n > 0; n--, w += width) {
            lichen_dot_add_s8(sum, w, width);
        }
        if (row == 0) {
            break;
        }
        w += patch->inside * width;
        n = patch->after + (row > 1 ? patch->before : patch->below);
    }
    acc[0] += in_zero * sum[0];
    if (width == 4) {
        acc[1] += in_zero * sum[1];
        acc[2] += in_zero * sum[2];
        acc[3] += in_zero * sum[3];
    }
}

/* acc[b] += sum of x[i] * w[i][b] over `rows` runs of `run` inputs, from `offset` on. */
LICHEN_INLINE void lichen_patch_runs_s8(const lichen_patch_s8 *patch, int offset, int run, const int8_t *w, int32_t *acc, int width)
{
    const int w_step = (patch->before + patch->inside + patch->after - run) * width;
    int32_t sum[4];
    lichen_patch_load_s8(sum, acc, width);
    for (int row = patch->rows; row > 0; row--) {
        w = lichen_dot_s8(sum, patch->data + offset, w, run, width) + w_step;
        offset = lichen_patch_next_row_s8(patch, offset);
    }
    lichen_patch_load_s8(acc, sum, width);
}

/* acc[b] += products of a depthwise convolution, whose channel `b` is the input's channel `c + b`. */
LICHEN_INLINE void lichen_patch_depthwise_s8(const lichen_patch_s8 *patch, const int8_t *w, int c, int32_t *acc, int width)
{
    const int step = patch->tap_step, w_step = (patch->before + patch->after) * width;
    int32_t sum[4];
    int offset = patch->offset + c;
    lichen_patch_load_s8(sum, acc, width);
    w += (patch->above + patch->before) * width;
    for (int row = patch->rows; row > 0; row--) {
        w = lichen_dot_strided_s8(sum, patch->data + offset, step, w, patch->taps, width) + w_step;
        offset = lichen_patch_next_row_s8(patch, offset);
    }
    lichen_patch_load_s8(acc, sum, width);
}

LICHEN_INLINE int lichen_patch_has_padding_s8(const lichen_patch_s8 *patch)
{
    return patch->above + patch->below + patch->before + patch->after > 0;
}

/* One loop each for one channel and for four. */
LICHEN_LOOP void lichen_patch_padding1_s8(const lichen_patch_s8 *patch, const int8_t *w, int in_zero, int32_t *acc)
{
    lichen_patch_padding_s8(patch, w, in_zero, acc, 1);
}

LICHEN_HOT void lichen_patch_runs1_s8(const lichen_patch_s8 *patch, int offset, int run, const int8_t *w, int32_t *acc)
{
    lichen_patch_runs_s8(patch, offset, run, w, acc, 1);
}

LICHEN_HOT void lichen_patch_depthwise1_s8(const lichen_patch_s8 *patch, const int8_t *w, int c, int32_t *acc)
{
    lichen_patch_depthwise_s8(patch, w, c, acc, 1);
}

#if defined(__AVR__)

LICHEN_LOOP void lichen_patch_padding4_s8(const lichen_patch_s8 *patch, const int8_t *w, int in_zero, int32_t *acc)
{
    int n = patch->above + (patch->rows > 0 ? patch->before : patch->below);
    for (int row = patch->rows;; row--) {
        if (n > 0) {
            w = lichen_dot_constant4_avr((uint8_t *)acc, (int8_t)in_zero, w, n);
        }
        if (row == 0) {
            break;
        }
        w += patch->inside * 4;
        n = patch->after + (row > 1 ? patch->before : patch->below);
    }
}

LICHEN_INLINE void lichen_patch_runs4_s8(const lichen_patch_s8 *patch, int offset, int run, const int8_t *w, int32_t *acc)
{
    const lichen_rows_avr *at = &patch->at;
    lichen_rows_avr apart;
    if (run != patch->taps * patch->tap_step) {
        apart = *at;
        apart.x_gap = patch->row_step - run;
        apart.w_gap = (patch->before + patch->inside + patch->after - run) * 4;
        at = &apart;
    }
    lichen_dot4_avr((uint8_t *)acc, at, patch->data + offset, w, (uint8_t)patch->rows, run);
}

LICHEN_INLINE void lichen_patch_depthwise4_s8(const lichen_patch_s8 *patch, const int8_t *w, int c, int32_t *acc)
{
    w += (patch->above + patch->before) * 4;
    lichen_dot_strided4_avr((uint8_t *)acc, &patch->at, patch->data + patch->offset + c, patch->tap_step, w, (uint8_t)patch->rows,
        (uint8_t)patch->taps);
}

#else

LICHEN_LOOP void lichen_patch_padding4_s8(const lichen_patch_s8 *patch, const int8_t *w, int in_zero, int32_t *acc)
{
    lichen_patch_padding_s8(patch, w, in_zero, acc, 4);
}

LICHEN_HOT void lichen_patch_runs4_s8(const lichen_patch_s8 *patch, int offset, int run, const int8_t *w, int32_t *acc)
{
    lichen_patch_runs_s8(patch, offset, run, w, acc, 4);
}

#if defined(__ARM_ARCH_6M__)
LICHEN_LOOP void lichen_patch_depthwise4_s8(const lichen_patch_s8 *patch, const int8_t *w, int c, int32_t *acc)
{
    lichen_strided_v6m at;
    at.taps = patch->taps;
    at.w_gap = (patch->before + patch->after) * 4;
    at.x_gap = patch->row_step - patch->taps * patch->tap_step;
    at.limit = (int)patch->data + patch->ring;
    at.jump = patch->jump;
    at.rows = patch->rows;
    if (at.rows > 0 && at.taps > 0) {
        w += (patch->above + patch->before) * 4;
        lichen_dot_strided_v6m(acc, &at, patch->data + patch->offset + c, patch->tap_step, w);
    }
}
#else
LICHEN_HOT void lichen_patch_depthwise4_s8(const lichen_patch_s8 *patch, const int8_t *w, int c, int32_t *acc)
{
    lichen_patch_depthwise_s8(patch, w, c, acc, 4);
}
#endif

#endif

/* acc[b] += products of a convolution: all `unit` channels of the taps inside. */
LICHEN_INLINE void lichen_patch_dot_s8(const lichen_patch_s8 *patch, const int8_t *w, int unit, int32_t *acc, int width)
{
    /* Without dilation a row of taps is one run. */
    const int run = patch->tap_step == unit ? patch->inside : unit;
    int offset = patch->offset;
    w += (patch->above + patch->before) * width;
    for (int left = patch->inside; left > 0; left -= run, offset += patch->tap_step, w += run * width) {
        if (width == 4) {
            lichen_patch_runs4_s8(patch, offset, run, w, acc);
        } else {
            lichen_patch_runs1_s8(patch, offset, run, w, acc);
        }
    }
}

#endif
