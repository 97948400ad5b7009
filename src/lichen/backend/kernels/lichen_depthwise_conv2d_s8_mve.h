/* int8 depthwise convolution for cores with Helium, NHWC, per-channel scales: output channel c sees input channel c only.

   Eight channels of a pixel at a time, two taps at a time: VMUL makes int16 products, of two taps int16 holds the sum, and VMOVL and VADD bring
   it into int32 sums, those of even channels and those of odd ones. Taps outside the input are read from a pixel of zero points. 0.94
   instructions a product and about 5 for each output; where the taps lie is worked out for pixels at the border and once a row.

   weights: for each eight channels, for each tap, those of the channels; taps are filled up to an even number, and channels to
   eight, with zeros. channels: for each eight the biases of the even and of the odd ones, mantissas likewise, shifts likewise; biases have
   -in_zero * (sum of the channel's weights) folded in.
   scratch: where each tap of a pixel lies, then the pixel of zero points. Pixel by pixel in raster order. */
#ifndef LICHEN_DEPTHWISE_CONV2D_S8_MVE_H
#define LICHEN_DEPTHWISE_CONV2D_S8_MVE_H

#include "lichen_mve.h"
#include "lichen_view.h"

typedef struct {
    int32_t in_length, out_length; /* elements from one row to the next */
    int16_t in_h, in_w, in_c;
    int16_t out_w, out_c; /* as many as in_c */
    int16_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
    int16_t in_zero, out_zero, low, high;
    int16_t taps;     /* an even number */
    int16_t any_left; /* whether a channel is shifted to the left */
} lichen_depthwise_conv2d_s8_mve_params;

#if LICHEN_HAS_MVE
/* Adds the products of all taps of eight channels to the sums of the even and the odd ones. */
LICHEN_INLINE void lichen_taps8_mve(int32x4_t *even, int32x4_t *odd, const int8_t *x, const int32_t *places, const int8_t *weights, int taps)
{
    int32x4_t sum0 = *even, sum1 = *odd;
    const int8_t *first, *second;
    __asm__ volatile("dls lr, %[pairs]\n"
        "1:\n\t"
        "ldrd %[first], %[second], [%[places]], #8\n\t"
        "add %[first], %[x]\n\t"
        "vldrb.s16 q0, [%[first]]\n\t"
        "vldrb.s16 q1, [%[w]], #8\n\t"
        "add %[second], %[x]\n\t"
        "vmul.i16 q0, q0, q1\n\t"
        "vldrb.s16 q2, [%[second]]\n\t"
        "vldrb.s16 q1, [%[w]], #8\n\t"
        "vmul.i16 q2, q2, q1\n\t"
        "vadd.i16 q0, q0, q2\n\t"
        "vmovlb.s16 q1, q0\n\t"
        "vmovlt.s16 q0, q0\n\t"
        "vadd.i32 %q[sum0], %q[sum0], q1\n\t"
        "vadd.i32 %q[sum1], %q[sum1], q0\n\t"
        "le lr, 1b"
        : [sum0] "+w"(sum0), [sum1] "+w"(sum1), [places] "+r"(places), [w] "+l"(weights), [first] "=&l"(first), [second] "=&l"(second)
        : [x] "r"(x), [pairs] "r"(taps >> 1)
        : "q0", "q1", "q2", "lr", "cc", "memory");
    *even = sum0;
    *odd = sum1;
}

/* The same of fewer than eight channels. */
LICHEN_INLINE void lichen_some_taps_mve(
    int32x4_t *even, int32x4_t *odd, const int8_t *x, const int32_t *places, const int8_t *weights, int taps, mve_pred16_t some)
{
    for (; taps > 0; taps -= 2, places += 2, weights += 16) {
        const int16x8_t first = vmulq_s16(vldrbq_z_s16(x + places[0], some), vldrbq_s16(weights));
        const int16x8_t both = vaddq_s16(first, vmulq_s16(vldrbq_z_s16(x + places[1], some), vldrbq_s16(weights + 8)));
        *even = vaddq_s32(*even, vmovlbq_s16(both));
        *odd = vaddq_s32(*odd, vmovltq_s16(both));
    }
}
#endif

/* Channels c to c + count - 1 of a pixel, 1 <= count <= 8; tap t of channel 0 is x[places[t]]. */
LICHEN_INLINE void lichen_depthwise8_mve(const lichen_depthwise_conv2d_s8_mve_params *p, const int8_t *x, const int32_t *places,
    const int8_t *weights, const int32_t *channels, int c, int count, int8_t *out)
{
#if LICHEN_HAS_MVE
    const mve_pred16_t some = vctp16q((uint32_t)count);
    int32x4_t even = vldrwq_s32(channels), odd = vldrwq_s32(channels + 4);
    int16x8_t y = vdupq_n_s16(0);
    if (count >= 8) {
        lichen_taps8_mve(&even, &odd, x + c, places, weights, p->taps);
    } else {
        lichen_some_taps_mve(&even, &odd, x + c, places, weights, p->taps, some);
    }
    y = vqmovnbq_s32(y, lichen_requantise4_mve(even, channels + 8, channels + 16, p->any_left));
    y = vqmovntq_s32(y, lichen_requantise4_mve(odd, channels + 12, channels + 20, p->any_left));
    y = vqaddq_n_s16(y, p->out_zero);
    y = vminq_s16(vmaxq_s16(y, vdupq_n_s16(p->low)), vdupq_n_s16(p->high));
    if (count >= 8) {
        vstrbq_s16(out + c, y);
    } else {
        vstrbq_p_s16(out + c, y, some);
    }
#else
    for (int k = 0; k < count && k < 8; k++) {
        const int32_t *const channel = channels + 4 * (k & 1) + (k >> 1);
        int32_t sum = channel[0];
        for (int t = 0; t < p->taps; t += 2) {
            const int first = x[places[t] + c + k] * weights[8 * t + k], second = x[places[t + 1] + c + k] * weights[8 * t + 8 + k];
            sum += (int16_t)(first + second);
        }
        out[c + k] = lichen_requantise_s8(sum, channel[8], channel[16], p->out_zero, p->low, p->high);
    }
#endif
}

/* All channels of a pixel. */
LICHEN_LOOP void lichen_depthwise_pixel_mve(const lichen_depthwise_conv2d_s8_mve_params *p, const int8_t *x, const int32_t *places,
    const int8_t *weights, const int32_t *channels, int8_t *out)
{
    const lichen_depthwise_conv2d_s8_mve_params local = *p; /* out might alias p */
    int c = 0;
    for (; c + 8 <= local.out_c; c += 8, channels += 24, weights += 8 * local.taps) {
        lichen_depthwise8_mve(&local, x, places, weights, channels, c, 8, out);
    }
    if (c < local.out_c) {
        lichen_depthwise8_mve(&local, x, places, weights, channels, c, local.out_c - c, out);
    }
}

/* Where the taps of the window that begins at input (y, x) lie, from in.data on. */
LICHEN_LOOP void lichen_places_mve(
    const lichen_depthwise_conv2d_s8_mve_params *p, const lichen_view_s8 *in, int32_t *places, int y, int left, int32_t zeros)
{
    int32_t *place = places;
    for (int ky = 0; ky < p->kernel_h; ky++, y += p->dilation_h) {
        const int is_inside = y >= 0 && y < p->in_h;
        const int32_t row = is_inside ? (int32_t)(lichen_window_row_s8(*in, y, (int)p->in_length) - in->data) : 0;
        int x = left;
        for (int kx = 0; kx < p->kernel_w; kx++, x += p->dilation_w) {
            *place++ = is_inside && x >= 0 && x < p->in_w ? row + x * p->in_c : zeros;
        }
    }
    if (place < places + p->taps) {
        *place = place[-1];
    }
}

LICHEN_KERNEL void lichen_depthwise_conv2d_s8_mve(const lichen_depthwise_conv2d_s8_mve_params *p, lichen_view_s8 in, lichen_view_s8 out,
    const int8_t *weights, const int32_t *channels, int8_t *scratch, int row_begin, int row_end)
{
    int32_t *const places = (int32_t *)(void *)scratch;
    int8_t *const zeros = scratch + 4 * p->taps;
    const int bottom = p->in_h - (p->kernel_h - 1) * p->dilation_h, right = p->in_w - (p->kernel_w - 1) * p->dilation_w;
    lichen_fill_mve(zeros, p->in_zero, p->in_c);
    for (int oy = row_begin; oy < row_end; oy++) {
        int8_t *pixel = lichen_row_s8(out, oy, (int)p->out_length);
        const int y = oy * p->stride_h - p->pad_top;
        int x = -p->pad_left, known = -1; /* where the window begins whose places are known, if it is inside */
        for (int ox = 0; ox < p->out_w; ox++, x += p->stride_w, pixel += p->out_c) {
            const int is_inside = y >= 0 && y < bottom && x >= 0 && x < right;
            if (!is_inside || known < 0) {
                lichen_places_mve(p, &in, places, y, x, (int32_t)(zeros - in.data));
                known = is_inside ? x : -1;
            }
            lichen_depthwise_pixel_mve(p, in.data + (is_inside ? (x - known) * p->in_c : 0), places, weights, channels, pixel);
        }
    }
}

#endif
