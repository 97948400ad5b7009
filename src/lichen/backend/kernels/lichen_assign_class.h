/* The neuron of a label. A label that is new takes the first free neuron; -1 where none is left, -2 for a number below 0, which is no
   label. */
#ifndef LICHEN_ASSIGN_CLASS_H
#define LICHEN_ASSIGN_CLASS_H

#include "lichen_common.h"

typedef struct {
    int16_t capacity;
} lichen_assign_class_params;

LICHEN_KERNEL void lichen_assign_class(
    const lichen_assign_class_params *p, const int32_t *label, int32_t *labels, int32_t *neuron)
{
    const int capacity = p->capacity;
    *neuron = -2;
    if (*label < 0) {
        return;
    }
    int index = 0;
    while (index < capacity && labels[index] >= 0 && labels[index] != *label) {
        index++;
    }
    if (index < capacity) {
        labels[index] = *label;
    }
    *neuron = index < capacity ? index : -1;
}

#endif
