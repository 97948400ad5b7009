/* int8 convolution for cores with DSP instructions, NHWC, per-channel scales: the bytes of lichen_conv2d_s8.h.
   weights: see lichen_products_dsp.h; biases have -in_zero * (sum of the channel's weights) folded in.
   scratch: the widened patches of `tile` pixels, two as one that is wider, and behind them, if in_c is not a multiple of four, a run of kernel_w * in_c bytes.

   Patches are gathered (lichen_patches_dsp.h) pixel by pixel in raster order, over the ends of rows, and multiplied as soon as there are
   four; so all reads of a tile precede its writes. A few instructions for each pixel, about 1.5 for each element of its patch, and 0.8 for
   each product. */
#ifndef LICHEN_CONV2D_S8_DSP_H
#define LICHEN_CONV2D_S8_DSP_H

#include "lichen_patches_dsp.h"
#include "lichen_tile1_dsp.h"
#include "lichen_tile2_dsp.h"
#include "lichen_tile4_dsp.h"

typedef struct {
    int32_t in_length, out_length; /* elements from one row to the next */
    int16_t in_h, in_w, in_c;
    int16_t out_w, out_c;
    int16_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
    int16_t words, part; /* see lichen_products_dsp */
    int8_t in_zero, out_zero, low, high, finish;
    int8_t tile; /* patches at a time: 4, 2 or 1 */
} lichen_conv2d_s8_dsp_params;

/* From how many patches on they are cheaper as four. */
#if LICHEN_SHORT
#define LICHEN_LEAST_OF_4 4
#else
#define LICHEN_LEAST_OF_4 3
#endif

/* Whether two patches are taken at a time: never where the model says of no layer that they are. */
#if defined(LICHEN_NEEDS_TWO_PATCHES)
#define LICHEN_IS_TWO_PATCHES(tile) ((tile) == 2)
#else
#define LICHEN_IS_TWO_PATCHES(tile) 0
#endif

/* The patch of the output pixel whose window begins at input (y, x), into every `step`th word from `to` on. */
LICHEN_INLINE void lichen_patch_dsp(
    const lichen_conv2d_s8_dsp_params *p, lichen_view_s8 in, int y, int x, uint32_t *to, int step, int8_t *run)
{
    const int n = p->kernel_w * p->in_c, length = (int)p->in_length;
    const int is_whole = p->dilation_w == 1 && x >= 0 && x + p->kernel_w <= p->in_w;
    for (int k = 0; k < p->kernel_h; k++, y += p->dilation_h) {
        const int8_t *const row = y >= 0 && y < p->in_h ? lichen_window_row_s8(in, y, length) : NULL;
        to = row != NULL && is_whole
            ? lichen_widen_run_dsp(to, row + x * p->in_c, n, step)
            : lichen_widen_border_dsp(to, run, row, x, p->dilation_w, p->kernel_w, p->in_w, p->in_c, p->in_zero, step);
    }
}

/* The patches of a tile whose pixels are neighbours and whose windows lie inside the input's columns, the first at input (y, x). */
LICHEN_INLINE void lichen_patches_dsp(const lichen_conv2d_s8_dsp_params *p, lichen_view_s8 in, int y, int x, uint32_t *to)
{
    const int n = p->kernel_w * p->in_c, length = (int)p->in_length;
    for (int k = 0; k < p->kernel_h; k++, y += p->dilation_h) {
        if (y >= 0 && y < p->in_h) {
            to = lichen_widen_tile_dsp(to, lichen_window_row_s8(in, y, length) + x * p->in_c, p->stride_w * p->in_c, n);
        } else {
            to = lichen_fill_tile_dsp(to, p->in_zero, n);
        }
    }
}

/* The patches of two neighbouring pixels by columns, of which some may be those of both; the first begins at input (y, x). */
LICHEN_INLINE void lichen_columns_dsp(const lichen_conv2d_s8_dsp_params *p, lichen_view_s8 in, int y, int x, uint32_t *to)
{
    const int words = p->in_c / 2, end = x + p->kernel_w + p->stride_w, length = (int)p->in_length;
    const uint32_t zeros = lichen_lanes(p->in_zero, p->in_zero);
    for (int k = 0; k < p->kernel_h; k++, y += p->dilation_h) {
        const int8_t *const row = y >= 0 && y < p->in_h ? lichen_window_row_s8(in, y, length) : NULL;
        uint32_t *column = to + k * words;
        for (int at = x; at < end; at++, column += p->kernel_h * words) {
            if (row != NULL && at >= 0 && at < p->in_w) {
                lichen_widen_run_dsp(column, row + at * p->in_c, p->in_c, 1);
            } else {
                for (int i = 0; i < words; i++) {
                    column[i] = zeros;
                }
            }
        }
    }
}

/* `count` output channels from `first`, an even number, on; `weights` are theirs. */
LICHEN_INLINE void lichen_conv2d_channels_s8_dsp(const lichen_conv2d_s8_dsp_params *p, lichen_view_s8 in, lichen_view_s8 out,
    const int32_t *weights, int8_t *scratch, int first, int channels, int row_begin, int row_end)
{
    const lichen_products_dsp products = {weights, p->words, p->part, channels, p->out_zero, p->low, p->high, p->finish};
    uint32_t *const patches = (uint32_t *)(void *)scratch;
    int8_t *const run = scratch + 4 * p->tile * p->words;
    const int last = p->in_w - p->kernel_w - 3 * p->stride_w; /* where the first window of a tile may begin */
    int8_t *pixels[4];
    int count = 0, left = (row_end - row_begin) * p->out_w;
    for (int oy = row_begin; oy < row_end; oy++) {
        int8_t *pixel = lichen_row_s8(out, oy, (int)p->out_length) + first;
        const int y = oy * p->stride_h - p->pad_top;
        int x = -p->pad_left;
        for (int ox = 0; ox < p->out_w; ox++, x += p->stride_w, pixel += p->out_c, left--) {
            if (LICHEN_IS_TWO_PATCHES(p->tile)) {
                const int is_last = ox + 1 == p->out_w; /* then the second is the first, and is computed of nothing */
                lichen_columns_dsp(p, in, y, x, patches);
                lichen_tile2_dsp(&products, patches, p->stride_w * p->kernel_h * p->in_c / 2, pixel, is_last ? 0 : p->out_c);
                ox++;
                x += p->stride_w;
                pixel += p->out_c;
            } else if (p->tile == 1 || (count == 0 && left < LICHEN_LEAST_OF_4)) {
                lichen_patch_dsp(p, in, y, x, patches, 1, run);
                lichen_tile1_dsp(&products, patches, pixel);
            } else if (count == 0 && p->dilation_w == 1 && x >= 0 && x <= last && ox + 4 <= p->out_w) {
                lichen_patches_dsp(p, in, y, x, patches);
                for (; count < 4; count++) {
                    pixels[count] = pixel + count * p->out_c;
                }
                ox += 3;
                x += 3 * p->stride_w;
                pixel += 3 * p->out_c;
                left -= 3;
            } else {
                lichen_patch_dsp(p, in, y, x, patches + count, 4, run);
                pixels[count++] = pixel;
            }
            if (count == 4 || (count == 3 && left == 1)) {
                if (count == 3) {
                    pixels[3] = pixel; /* the same once more, which is stored first */
                }
                lichen_tile4_dsp(&products, patches, pixels);
                count = 0;
            }
        }
    }
}

LICHEN_KERNEL void lichen_conv2d_s8_dsp(const lichen_conv2d_s8_dsp_params *p, lichen_view_s8 in, lichen_view_s8 out, const int32_t *weights,
    int8_t *scratch, int row_begin, int row_end)
{
    lichen_conv2d_channels_s8_dsp(p, in, out, weights, scratch, 0, p->out_c, row_begin, row_end);
}

#endif
