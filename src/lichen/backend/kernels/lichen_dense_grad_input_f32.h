/* float32 gradient of a dense layer's input: out [batch][in_c] = gradient [batch][out_c] times weights [out_c][in_c], each sum in the order
   of the outputs (`lichen_add_columns`). */
#ifndef LICHEN_DENSE_GRAD_INPUT_F32_H
#define LICHEN_DENSE_GRAD_INPUT_F32_H

#include "lichen_float_loops.h"

typedef struct {
    int16_t batch, in_c, out_c, weights_in_flash;
} lichen_dense_grad_input_f32_params;

LICHEN_KERNEL void lichen_dense_grad_input_f32(
    const lichen_dense_grad_input_f32_params *p, const float *gradient, const float *weights, float *out)
{
    for (int row = 0; row < p->batch; row++, gradient += p->out_c, out += p->in_c) {
        lichen_clear_f32(out, p->in_c); /* row by row: gradients of the rows behind may still lie where later rows go */
        lichen_add_columns(out, gradient, weights, p->out_c, p->in_c, p->in_c, p->weights_in_flash);
    }
}

#endif
