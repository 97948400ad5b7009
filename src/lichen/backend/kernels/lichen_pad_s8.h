/* int8 padding with one value, of up to four dimensions (n, h, w, c); a row is one index of n and h. */
#ifndef LICHEN_PAD_S8_H
#define LICHEN_PAD_S8_H

#include <string.h>

#include "lichen_view.h"

typedef struct {
    int32_t in_length, out_length; /* elements from one row to the next */
    int16_t in_n, in_h, in_w, in_c;
    int16_t out_h, out_w, out_c;
    int16_t before_n, before_h, before_w, before_c;
    int16_t value;
} lichen_pad_s8_params;

LICHEN_INLINE int8_t *lichen_pad_fill_s8(int8_t *to, int n, int16_t value)
{
    for (; n > 0; n--) {
        *to++ = (int8_t)value;
    }
    return to;
}

LICHEN_KERNEL void lichen_pad_s8(const lichen_pad_s8_params *p, lichen_view_s8 in, lichen_view_s8 out, int row_begin, int row_end)
{
    for (int row = row_begin; row < row_end; row++) {
        const int n = row / p->out_h - p->before_n, y = row % p->out_h - p->before_h;
        int8_t *to = lichen_row_s8(out, row, (int)p->out_length), *end = to + p->out_w * p->out_c;
        if (n >= 0 && n < p->in_n && y >= 0 && y < p->in_h) {
            const int8_t *from = lichen_row_s8(in, n * p->in_h + y, (int)p->in_length);
            to = lichen_pad_fill_s8(to, p->before_w * p->out_c, p->value);
            for (int x = 0; x < p->in_w; x++, from += p->in_c) {
                to = lichen_pad_fill_s8(to, p->before_c, p->value);
                memcpy(to, from, (size_t)p->in_c * sizeof *to);
                to = lichen_pad_fill_s8(to + p->in_c, p->out_c - p->before_c - p->in_c, p->value);
            }
        }
        lichen_pad_fill_s8(to, (int)(end - to), p->value);
    }
}

#endif
