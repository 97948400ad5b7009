/* A pooling as its gradients see it. */
#ifndef LICHEN_POOL_GRADIENT_H
#define LICHEN_POOL_GRADIENT_H

#include "lichen_window.h"

typedef struct {
    int16_t out_h;
    int16_t in_h, in_w, in_c;
    int16_t out_w;
    int16_t kernel_h, kernel_w, stride_h, stride_w, pad_top, pad_left;
} lichen_pool_gradient_params;

/* The rows or columns of the input, `size` of them, that a window of `taps` sees which begins at `first`. */
LICHEN_INLINE lichen_span lichen_pooled(int first, int taps, int size)
{
    lichen_span span = lichen_taps_inside(first, 1, taps, size);
    span.begin += first;
    span.end += first;
    return span;
}

#endif
