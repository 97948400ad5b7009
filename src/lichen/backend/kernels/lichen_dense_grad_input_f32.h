/* float32 gradient of a dense layer's input: out [batch][in_c] = gradient [batch][out_c] times weights [out_c][in_c]; four sums at once,
   each in the order of the outputs. */
#ifndef LICHEN_DENSE_GRAD_INPUT_F32_H
#define LICHEN_DENSE_GRAD_INPUT_F32_H

#include "lichen_common.h"

typedef struct {
    int16_t batch, in_c, out_c, weights_in_flash;
} lichen_dense_grad_input_f32_params;

/* The sum over `outputs` of gradient times a column of the weights; stride is the length of a row. */
LICHEN_INLINE float lichen_column_f32(const float *gradient, const float *weights, int outputs, int stride, int in_flash)
{
    float sum = 0.0f;
    for (int oc = 0; oc < outputs; oc++, weights += stride) {
        sum += gradient[oc] * lichen_read_f32(weights, in_flash);
    }
    return sum;
}

LICHEN_KERNEL void lichen_dense_grad_input_f32(
    const lichen_dense_grad_input_f32_params *p, const float *gradient, const float *weights, float *out)
{
    const int inputs = p->in_c;
    const int outputs = p->out_c;
    const int in_flash = p->weights_in_flash;
    for (int row = 0; row < p->batch; row++, gradient += outputs) {
        int c = 0;
        for (; c + 4 <= inputs; c += 4) {
            const float *w = weights + c;
            float a = 0.0f, b = 0.0f, d = 0.0f, e = 0.0f;
            for (int oc = 0; oc < outputs; oc++, w += inputs) {
                const float g = gradient[oc];
                a += g * lichen_read_f32(w, in_flash);
                b += g * lichen_read_f32(w + 1, in_flash);
                d += g * lichen_read_f32(w + 2, in_flash);
                e += g * lichen_read_f32(w + 3, in_flash);
            }
            *out++ = a;
            *out++ = b;
            *out++ = d;
            *out++ = e;
        }
        for (; c < inputs; c++) {
            *out++ = lichen_column_f32(gradient, weights + c, outputs, inputs, in_flash);
        }
    }
}

#endif
