/* int8 convolutions on AVR whose weights were decoded into RAM, [channel][kernel_h][kernel_w][unit]: `unit` is in_c for an ordinary one and 1 for
   a depthwise one. The loops of lichen_dot_avr.h read weights from flash, another address space; these compute channel by channel. */
#ifndef LICHEN_DECODED_AVR_H
#define LICHEN_DECODED_AVR_H

#include "lichen_channels_s8.h"
#include "lichen_patch_s8.h"

#if defined(__AVR__)

/* sum += x[i * (gap + 1)] * w[i] for i < n, both in RAM; 17 cycles each. */
LICHEN_INLINE const int8_t *lichen_dot_decoded_avr(int32_t *sum, const int8_t *x, int gap, const int8_t *w, int n)
{
    int8_t input, weight;
    __asm__ volatile("rjmp 2f\n"
        "1:\n\t"
        "ld %[x], X+\n\tld %[w], Z+\n\tmuls %[x], %[w]\n\t"
        "sbc %[w], %[w]\n\t" /* muls leaves the sign in carry: now a byte */
        "add %A[sum], r0\n\tadc %B[sum], r1\n\tadc %C[sum], %[w]\n\tadc %D[sum], %[w]\n\t"
        "add r26, %A[gap]\n\tadc r27, %B[gap]\n"
        "2:\n\tsbiw %[n], 1\n\tbrcc 1b\n\t"
        "clr __zero_reg__"
        : [sum] "+r"(*sum), "+x"(x), "+z"(w), [n] "+w"(n), [x] "=&d"(input), [w] "=&d"(weight)
        : [gap] "r"(gap)
        : "memory");
    return w;
}

/* acc += the products of one channel, whose first tap inside the input is `x`; taps outside count as in_zero. */
LICHEN_LOOP void lichen_patch_decoded_avr(const lichen_patch_s8 *patch, int channel, int unit, const int8_t *w, int in_zero, int32_t *acc)
{
    const int is_run = unit > 1 && patch->tap_step == unit;
    int offset = patch->offset, n = patch->above;
    int32_t sum = *acc;
    int16_t outside = 0;
    for (int row = patch->rows;; row--) {
        n += row > 0 ? patch->before : patch->below;
        for (; n > 0; n--) {
            outside = (int16_t)(outside + *w++);
        }
        if (row == 0) {
            break;
        }
        const int8_t *x = patch->data + offset + channel;
        if (unit == 1 || is_run) {
            w = lichen_dot_decoded_avr(&sum, x, unit == 1 ? patch->tap_step - 1 : 0, w, patch->inside);
        } else {
            for (int tap = 0; tap < patch->taps; tap++, x += patch->tap_step) {
                w = lichen_dot_decoded_avr(&sum, x, 0, w, unit);
            }
        }
        n = patch->after;
        offset = lichen_patch_next_row_s8(patch, offset);
    }
    *acc = sum + (int32_t)in_zero * outside;
}

/* Output channels [first, end), `w` being the weights of `first`. */
LICHEN_INLINE void lichen_decoded_channels_avr(const lichen_window_s8_params *p, lichen_view_s8 in, lichen_view_s8 out, const int8_t *decoded,
    const lichen_channels_s8 *channels, int is_depthwise, int first, int end, int row_begin, int row_end)
{
    const int unit = is_depthwise ? 1 : p->in_c, taps = p->kernel_h * p->kernel_w * unit, times = p->out_c / p->in_c;
    for (int oy = row_begin; oy < row_end; oy++) {
        int8_t *pixel = lichen_row_s8(out, oy, (int)p->out_length);
        const int y = oy * p->stride_h - p->pad_top;
        for (int ox = 0; ox < p->out_w; ox++, pixel += p->out_c) {
            const lichen_patch_s8 patch = lichen_patch_at_s8(p, in, y, ox * p->stride_w - p->pad_left, unit);
            const int8_t *w = decoded;
            for (int c = first; c < end; c++, w += taps) {
                int32_t acc = lichen_flash_s32(channels->bias + c);
                lichen_patch_decoded_avr(&patch, is_depthwise ? c / times : 0, unit, w, p->in_zero, &acc);
                pixel[c] = lichen_channel_end_s8(channels, acc, c);
            }
        }
    }
}

#endif

#endif
