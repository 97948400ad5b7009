/* Which taps of a sliding window fall inside the input. */
#ifndef LICHEN_WINDOW_H
#define LICHEN_WINDOW_H

#include "lichen_common.h"

typedef struct {
    int begin, end;
} lichen_span;

/* The taps k of 0..taps-1 with 0 <= first + k * step < size. At least one tap is right of -1 and one left of `size`. */
LICHEN_INLINE lichen_span lichen_taps_inside(int first, int step, int taps, int size)
{
    lichen_span span;
    span.begin = first >= 0 ? 0 : (step - 1 - first) / step;
    span.end = first + (taps - 1) * step < size ? taps : (size - first + step - 1) / step;
    return span;
}

#endif
