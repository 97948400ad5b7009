/* Puts `fill` in the place of every neuron that has no label. */
#ifndef LICHEN_MASK_CLASSES_F32_H
#define LICHEN_MASK_CLASSES_F32_H

#include "lichen_common.h"

typedef struct {
    int16_t capacity;
    float fill;
} lichen_mask_classes_f32_params;

LICHEN_KERNEL void lichen_mask_classes_f32(
    const lichen_mask_classes_f32_params *p, const float *in, const int32_t *labels, float *out)
{
    const int capacity = p->capacity;
    for (int i = 0; i < capacity; i++) {
        out[i] = labels[i] >= 0 ? in[i] : p->fill;
    }
}

#endif
