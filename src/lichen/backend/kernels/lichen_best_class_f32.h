/* The first of the largest scores; -1 where all are those of classes that are masked, or not numbers. */
#ifndef LICHEN_BEST_CLASS_F32_H
#define LICHEN_BEST_CLASS_F32_H

#include "lichen_common.h"

typedef struct {
    int16_t classes;
    float no_score;
} lichen_best_class_f32_params;

LICHEN_KERNEL void lichen_best_class_f32(const lichen_best_class_f32_params *p, const float *scores, int32_t *best)
{
    const int classes = p->classes;
    float highest = p->no_score;
    int index = -1;
    for (int i = 0; i < classes; i++) {
        if (scores[i] > highest) {
            highest = scores[i];
            index = i;
        }
    }
    *best = index;
}

#endif
