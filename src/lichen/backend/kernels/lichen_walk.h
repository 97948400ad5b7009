/* Walks two operands along the runs of their result: an odometer over the dimensions outside the runs. Twin: ops/walk.py.
   geometry: for each dimension, outermost first, {extent, step of operand a, step of operand b}; all in elements. */
#ifndef LICHEN_WALK_H
#define LICHEN_WALK_H

#include "lichen_common.h"

#define LICHEN_WALK_DIMENSIONS 8

typedef struct {
    int index[LICHEN_WALK_DIMENSIONS];
    int a, b; /* where the current run starts */
} lichen_walk;

LICHEN_INLINE void lichen_walk_start(lichen_walk *at, int dimensions)
{
    for (int d = 0; d < dimensions; d++) {
        at->index[d] = 0;
    }
    at->a = 0;
    at->b = 0;
}

LICHEN_INLINE void lichen_walk_next(lichen_walk *at, const int32_t *geometry, int dimensions)
{
    for (int d = dimensions - 1; d >= 0; d--) {
        const int extent = (int)lichen_flash_s32(geometry + 3 * d);
        const int step_a = (int)lichen_flash_s32(geometry + 3 * d + 1);
        const int step_b = (int)lichen_flash_s32(geometry + 3 * d + 2);
        at->index[d]++;
        at->a += step_a;
        at->b += step_b;
        if (at->index[d] < extent) {
            return;
        }
        at->index[d] = 0;
        at->a -= extent * step_a;
        at->b -= extent * step_b;
    }
}

#endif
