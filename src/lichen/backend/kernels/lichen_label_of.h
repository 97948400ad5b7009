/* The label of a neuron; -1 where it has none, or there is no such neuron. */
#ifndef LICHEN_LABEL_OF_H
#define LICHEN_LABEL_OF_H

#include "lichen_common.h"

typedef struct {
    int16_t capacity;
} lichen_label_of_params;

LICHEN_KERNEL void lichen_label_of(const lichen_label_of_params *p, const int32_t *neuron, const int32_t *labels, int32_t *label)
{
    const int32_t index = *neuron;
    *label = index >= 0 && index < p->capacity && labels[index] >= 0 ? labels[index] : -1;
}

#endif
