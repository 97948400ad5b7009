/* A convolution as its gradients see it: for each output pixel, the taps that fall inside the input. */
#ifndef LICHEN_CONVOLUTION_GRADIENT_H
#define LICHEN_CONVOLUTION_GRADIENT_H

#include "lichen_parameter.h"
#include "lichen_window.h"

typedef struct {
    int16_t weights_in_flash; /* of kernels that read weights */
    int16_t out_h;
    int16_t in_h, in_w, in_c;
    int16_t out_w, out_c;
    int16_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
} lichen_convolution_gradient_params;

/* The rows of the kernel that fall inside the input at output row oy, or its columns at output column ox. */
LICHEN_INLINE lichen_span lichen_rows_inside(const lichen_convolution_gradient_params *p, int oy)
{
    return lichen_taps_inside(oy * p->stride_h - p->pad_top, p->dilation_h, p->kernel_h, p->in_h);
}

LICHEN_INLINE lichen_span lichen_columns_inside(const lichen_convolution_gradient_params *p, int ox)
{
    return lichen_taps_inside(ox * p->stride_w - p->pad_left, p->dilation_w, p->kernel_w, p->in_w);
}

/* Where in the input (in elements) tap (ky, kx) of output pixel (oy, ox) begins. */
LICHEN_INLINE int lichen_tap_at(const lichen_convolution_gradient_params *p, int oy, int ox, int ky, int kx)
{
    const int y = oy * p->stride_h - p->pad_top + ky * p->dilation_h;
    const int x = ox * p->stride_w - p->pad_left + kx * p->dilation_w;
    return (y * p->in_w + x) * p->in_c;
}

#endif
