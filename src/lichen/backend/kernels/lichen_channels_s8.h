/* What convolutions and dense layers share: int32 sums for one or four output channels at a time, from the bias to the int8 that is
   stored. Accumulators are only ever indexed by constants and everything is inlined, so that they live in registers. `width` is 1 or 4. */
#ifndef LICHEN_CHANNELS_S8_H
#define LICHEN_CHANNELS_S8_H

#include "lichen_fixed_point.h"

/* The tables of all output channels of an operator, and the range its results are clamped to. */
typedef struct {
    const int32_t *bias;
    const int32_t *multiplier;
    const int8_t *shift;
    int zero, low, high;
} lichen_channels_s8;

/* acc[b] = bias of channel c + b. */
LICHEN_INLINE void lichen_channels_begin_s8(lichen_channels_s8 channels, int32_t *acc, int c, int width)
{
    acc[0] = lichen_flash_s32(channels.bias + c);
    if (width == 4) {
        acc[1] = lichen_flash_s32(channels.bias + c + 1);
        acc[2] = lichen_flash_s32(channels.bias + c + 2);
        acc[3] = lichen_flash_s32(channels.bias + c + 3);
    }
}

LICHEN_INLINE int8_t lichen_channel_end_s8(lichen_channels_s8 channels, int32_t acc, int c)
{
    return lichen_requantise_s8(acc, lichen_flash_s32(channels.multiplier + c), lichen_flash_s8(channels.shift + c), channels.zero,
        channels.low, channels.high);
}

/* out[b] = acc[b], requantised as channel c + b is. */
LICHEN_INLINE void lichen_channels_end_s8(lichen_channels_s8 channels, const int32_t *acc, int8_t *out, int c, int width)
{
    out[0] = lichen_channel_end_s8(channels, acc[0], c);
    if (width == 4) {
        out[1] = lichen_channel_end_s8(channels, acc[1], c + 1);
        out[2] = lichen_channel_end_s8(channels, acc[2], c + 2);
        out[3] = lichen_channel_end_s8(channels, acc[3], c + 3);
    }
}

/* acc[b] += x * w[b]. A product of two int8 fits the 16-bit int of small cores. */
LICHEN_INLINE void lichen_mac_s8(int32_t *acc, int8_t x, const int8_t *w, int width)
{
    acc[0] += x * lichen_flash_s8(w);
    if (width == 4) {
        acc[1] += x * lichen_flash_s8(w + 1);
        acc[2] += x * lichen_flash_s8(w + 2);
        acc[3] += x * lichen_flash_s8(w + 3);
    }
}

/* acc[b] += sum of x[i] * w[i][b] over n inputs. Unrolled where a loop's own instructions weigh as much as its products. */
LICHEN_INLINE void lichen_dot_s8(int32_t *acc, const int8_t *x, const int8_t *w, int n, int width)
{
#if !defined(__AVR__)
    for (; n >= 4; n -= 4, x += 4, w += 4 * width) {
        lichen_mac_s8(acc, x[0], w, width);
        lichen_mac_s8(acc, x[1], w + width, width);
        lichen_mac_s8(acc, x[2], w + 2 * width, width);
        lichen_mac_s8(acc, x[3], w + 3 * width, width);
    }
#endif
    for (; n > 0; n--, x++, w += width) {
        lichen_mac_s8(acc, x[0], w, width);
    }
}

/* The same where every input is x. */
LICHEN_INLINE void lichen_dot_constant_s8(int32_t *acc, int8_t x, const int8_t *w, int n, int width)
{
    for (; n > 0; n--, w += width) {
        lichen_mac_s8(acc, x, w, width);
    }
}

#endif
