/* lichen_conv2d_s8_v6m.h with coded weights, in the order of that file: all of them are decoded into scratch first. */
#ifndef LICHEN_CONV2D_S8_V6M_CODED_H
#define LICHEN_CONV2D_S8_V6M_CODED_H

#include "lichen_decode_v6m.h"
#include "lichen_conv2d_s8_v6m.h"

typedef lichen_window_s8_params lichen_conv2d_s8_v6m_coded_params;

LICHEN_KERNEL void lichen_conv2d_s8_v6m_coded(const lichen_conv2d_s8_v6m_coded_params *p, lichen_view_s8 in, lichen_view_s8 out,
    const lichen_coded *weights, const int32_t *ends, int8_t *decoded, int row_begin, int row_end)
{
    lichen_decode_all_v6m(weights, decoded, (p->out_c + 3) / 4 * p->kernel_h * p->kernel_w * p->in_c);
    lichen_conv2d_s8_v6m(p, in, out, (const int32_t *)(const void *)decoded, ends, row_begin, row_end);
}

#endif
