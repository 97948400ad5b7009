/* Coefficients {keep, add} of gradient descent over batches: `accumulate` for each sample, `decay` and `step` with the last of a batch.
   {1, 0} changes nothing. `count` is how many samples of this batch are accumulated already. */
#ifndef LICHEN_SGD_BATCH_H
#define LICHEN_SGD_BATCH_H

#include "lichen_finite.h"

typedef struct {
    int32_t batch;
    float share, momentum, weight_decay; /* share: 1 / batch */
} lichen_sgd_batch_params;

LICHEN_KERNEL void lichen_sgd_batch(const lichen_sgd_batch_params *p, int32_t *count, const float *rate, const float *loss,
    float *accumulate, float *decay, float *step)
{
    const int usable = lichen_is_finite(*rate) && lichen_is_finite(*loss);
    const int32_t before = *count < 0 ? 0 : *count;
    const int last = usable && before >= p->batch - 1;
    accumulate[0] = usable && before == 0 ? p->momentum : 1.0f;
    accumulate[1] = usable ? p->share : 0.0f;
    decay[0] = 1.0f;
    decay[1] = last ? p->weight_decay : 0.0f;
    step[0] = 1.0f;
    step[1] = last ? -*rate : 0.0f;
    if (usable) {
        *count = last ? 0 : before + 1;
    }
}

#endif
