/* The tree of Bonsai over `features` numbers: scores of classes from the nodes on the way from the root to a leaf, and no others.
   weights, gates: int8 [2 * inner + 1][classes][features]; branches: int8 [inner][features]. About 2 * classes + 1 products for each feature and node on the way, in floating
   point, in order, so that all machines go the same way. */
#ifndef LICHEN_BONSAI_TREE_F32_H
#define LICHEN_BONSAI_TREE_F32_H

#include <math.h>

#include "lichen_common.h"

typedef struct {
    int16_t inner, classes, features;
    float scale, slope; /* of sums of weights; of sums of gates, sigma included */
} lichen_bonsai_tree_f32_params;

LICHEN_LOOP float lichen_bonsai_sum_f32(const int8_t *row, const float *z, int features)
{
    float sum = 0.0f;
    for (int i = 0; i < features; i++) {
        sum += (float)lichen_flash_s8(row + i) * z[i];
    }
    return sum;
}

LICHEN_KERNEL void lichen_bonsai_tree_f32(const lichen_bonsai_tree_f32_params *p, const float *z, const int8_t *weights, const int8_t *gates,
    const int8_t *branches, float *scores)
{
    int node = 0;
    for (int c = 0; c < p->classes; c++) {
        scores[c] = 0.0f;
    }
    for (;;) {
        for (int c = 0; c < p->classes; c++) {
            const int row = (node * p->classes + c) * p->features;
            const float gate = tanhf(p->slope * lichen_bonsai_sum_f32(gates + row, z, p->features));
            scores[c] += p->scale * lichen_bonsai_sum_f32(weights + row, z, p->features) * gate;
        }
        if (node >= p->inner) {
            return;
        }
        node = 2 * node + (lichen_bonsai_sum_f32(branches + node * p->features, z, p->features) > 0.0f ? 1 : 2);
    }
}

#endif
