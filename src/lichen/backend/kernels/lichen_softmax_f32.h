/* float32 softmax over rows of `depth` values; sums in order. Each row is read for its maximum, then mapped element by element in
   order to exp, then divided by the sum in the result. */
#ifndef LICHEN_SOFTMAX_F32_H
#define LICHEN_SOFTMAX_F32_H

#include <math.h>

#include "lichen_common.h"

typedef struct {
    int32_t rows, depth;
    float beta;
} lichen_softmax_f32_params;

LICHEN_KERNEL void lichen_softmax_f32(const lichen_softmax_f32_params *p, const float *in, float *out)
{
    const int rows = (int)p->rows;
    const int depth = (int)p->depth;
    const float beta = p->beta;
    for (int row = 0; row < rows; row++, in += depth, out += depth) {
        float max = in[0];
        for (int i = 1; i < depth; i++) {
            max = in[i] > max ? in[i] : max;
        }
        float sum = 0.0f;
        for (int i = 0; i < depth; i++) {
            const float power = expf((in[i] - max) * beta);
            out[i] = power;
            sum += power;
        }
        for (int i = 0; i < depth; i++) {
            out[i] = out[i] / sum;
        }
    }
}

#endif
