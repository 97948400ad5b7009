/* int8 convolution for cores with Helium, NHWC, per-channel scales: the bytes of lichen_conv2d_s8.h.
   weights: for four output channels at a time, blocks of 16 elements of a patch for each of them; what is missing is zero.
   channels: for the same four channels their biases, mantissas and shifts; biases have -in_zero * (sum of the channel's weights) folded in.
   scratch: a patch.

   The patch of a pixel is gathered, padding filled in, unless the kernel is 1x1 and it lies in the input as it is. Then five loads and four
   VMLADAVA make 64 products: 0.16 instructions a product, about 25 for every four outputs, and 0.25 for each byte that is gathered.
   Pixel by pixel in raster order. */
#ifndef LICHEN_CONV2D_S8_MVE_H
#define LICHEN_CONV2D_S8_MVE_H

#include "lichen_mve.h"
#include "lichen_view.h"
#include "lichen_window.h"

typedef struct {
    int32_t in_length, out_length; /* elements from one row to the next */
    int16_t in_h, in_w, in_c;
    int16_t out_w, out_c;
    int16_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
    int16_t in_zero, out_zero, low, high;
    int16_t patch;    /* elements of a patch */
    int16_t is_whole; /* whether patches are single pixels of the input */
    int16_t any_left; /* whether a channel is shifted to the left */
} lichen_conv2d_s8_mve_params;

typedef struct {
    const int8_t *weights;
    const int32_t *channels;
    int patch, count; /* elements, channels */
    int zero, low, high, any_left;
} lichen_products_mve;

/* All channels of a pixel; the loop of all layers. */
LICHEN_LOOP void lichen_pixel_mve(const lichen_products_mve *p, const int8_t *x, int8_t *out)
{
    const lichen_products_mve local = *p; /* out might alias p */
    const int8_t *weights = local.weights;
    const int32_t *channels = local.channels;
    for (int left = local.count; left > 0; left -= 4, channels += 12, out += 4) {
        const lichen_scales_mve scales = {channels + 4, channels + 8};
        const lichen_four_mve sums = lichen_dot4_mve(channels, x, &weights, local.patch);
        lichen_finish4_mve(sums, scales, out, left, local.zero, local.low, local.high, local.any_left);
    }
}

/* The taps of one row of the kernel, the first over column x; `row` is NULL where they are outside. Returns where the next go. */
LICHEN_LOOP int8_t *lichen_gather_mve(const lichen_conv2d_s8_mve_params *p, int8_t *to, const int8_t *row, int x)
{
    const int in_c = p->in_c;
    for (int taps = p->kernel_w; taps > 0;) {
        const int is_inside = row != NULL && x >= 0 && x < p->in_w;
        const int most = row == NULL || x >= p->in_w ? taps : x < 0 ? -x : p->in_w - x;
        const int count = p->dilation_w > 1 ? 1 : most < taps ? most : taps;
        if (is_inside) {
            lichen_copy_mve(to, row + x * in_c, count * in_c);
        } else {
            lichen_fill_mve(to, p->in_zero, count * in_c);
        }
        to += count * in_c;
        taps -= count;
        x += count * p->dilation_w;
    }
    return to;
}

LICHEN_KERNEL void lichen_conv2d_s8_mve(const lichen_conv2d_s8_mve_params *p, lichen_view_s8 in, lichen_view_s8 out, const int8_t *weights,
    const int32_t *channels, int8_t *scratch, int row_begin, int row_end)
{
    const lichen_products_mve products = {weights, channels, p->patch, p->out_c, p->out_zero, p->low, p->high, p->any_left};
    for (int oy = row_begin; oy < row_end; oy++) {
        int8_t *pixel = lichen_row_s8(out, oy, (int)p->out_length);
        const int y = oy * p->stride_h - p->pad_top;
        int x = -p->pad_left;
        for (int ox = 0; ox < p->out_w; ox++, x += p->stride_w, pixel += p->out_c) {
            const int8_t *patch = scratch;
            if (p->is_whole) {
                patch = lichen_window_row_s8(in, y, (int)p->in_length) + x * p->in_c;
            } else {
                int8_t *to = scratch;
                for (int k = 0, row = y; k < p->kernel_h; k++, row += p->dilation_h) {
                    const int8_t *const from = row >= 0 && row < p->in_h ? lichen_window_row_s8(in, row, (int)p->in_length) : NULL;
                    if (from != NULL && p->dilation_w == 1 && x >= 0 && x + p->kernel_w <= p->in_w) {
                        lichen_copy_mve(to, from + x * p->in_c, p->kernel_w * p->in_c);
                        to += p->kernel_w * p->in_c;
                    } else {
                        to = lichen_gather_mve(p, to, from, x);
                    }
                }
            }
            lichen_pixel_mve(&products, patch, pixel);
        }
    }
}

#endif
