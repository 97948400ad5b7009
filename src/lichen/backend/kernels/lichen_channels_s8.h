/* The two ends of a sum: the bias it begins with and the int8 that is stored, for one or four output channels (`width`) at a time. On AVR
   `acc` holds four sums of three bytes, or one of four. */
#ifndef LICHEN_CHANNELS_S8_H
#define LICHEN_CHANNELS_S8_H

#include "lichen_dot_avr.h"
#include "lichen_fixed_point.h"

/* The tables of all output channels of an operator, and the range its results are clamped to. */
typedef struct {
    const int32_t *bias;
    const int32_t *multiplier;
    const int8_t *shift;
    int zero, low, high;
#if defined(__AVR__)
    lichen_limits_avr limits;
#endif
} lichen_channels_s8;

LICHEN_INLINE lichen_channels_s8 lichen_channels_of_s8(
    const int32_t *bias, const int32_t *multiplier, const int8_t *shift, int zero, int low, int high)
{
    lichen_channels_s8 channels;
    channels.bias = bias;
    channels.multiplier = multiplier;
    channels.shift = shift;
    channels.zero = zero;
    channels.low = low;
    channels.high = high;
#if defined(__AVR__)
    channels.limits.low = low - zero;
    channels.limits.high = high - zero;
    channels.limits.zero = (int8_t)zero;
#endif
    return channels;
}

/* acc[b] = bias of channel c + b. */
LICHEN_INLINE void lichen_channels_begin_s8(const lichen_channels_s8 *channels, int32_t *acc, int c, int width)
{
#if defined(__AVR__)
    if (width == 4) {
        lichen_begin4_avr((uint8_t *)acc, channels->bias + c);
        return;
    }
#endif
    acc[0] = lichen_flash_s32(channels->bias + c);
    if (width == 4) {
        acc[1] = lichen_flash_s32(channels->bias + c + 1);
        acc[2] = lichen_flash_s32(channels->bias + c + 2);
        acc[3] = lichen_flash_s32(channels->bias + c + 3);
    }
}

LICHEN_SHARED int8_t lichen_channel_end_s8(const lichen_channels_s8 *channels, int32_t acc, int c)
{
    return lichen_requantise_s8(acc, lichen_flash_s32(channels->multiplier + c), lichen_flash_s8(channels->shift + c), channels->zero,
        channels->low, channels->high);
}

/* out[b] = acc[b], requantised as channel c + b is. */
LICHEN_INLINE void lichen_channels_end_s8(const lichen_channels_s8 *channels, const int32_t *acc, int8_t *out, int c, int width)
{
#if defined(__AVR__)
    if (width == 4) {
        lichen_end4_avr((const uint8_t *)acc, channels->multiplier + c, channels->shift + c, &channels->limits, out);
        return;
    }
#endif
    out[0] = lichen_channel_end_s8(channels, acc[0], c);
    if (width == 4) {
        out[1] = lichen_channel_end_s8(channels, acc[1], c + 1);
        out[2] = lichen_channel_end_s8(channels, acc[2], c + 2);
        out[3] = lichen_channel_end_s8(channels, acc[3], c + 3);
    }
}

#endif
