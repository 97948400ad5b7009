/* Counts one prediction in a confusion matrix, rows by true class, columns by predicted class; nothing where either is none. */
#ifndef LICHEN_COUNT_CONFUSION_H
#define LICHEN_COUNT_CONFUSION_H

#include "lichen_common.h"

typedef struct {
    int16_t classes;
} lichen_count_confusion_params;

LICHEN_KERNEL void lichen_count_confusion(
    const lichen_count_confusion_params *p, int32_t *matrix, const int32_t *actual, const int32_t *predicted)
{
    const int32_t classes = p->classes;
    if (*actual < 0 || *actual >= classes || *predicted < 0 || *predicted >= classes) {
        return;
    }
    int32_t *const count = matrix + (int)(*actual * classes + *predicted);
    if (*count < INT32_MAX) {
        *count += 1;
    }
}

#endif
