/* The tree of Bonsai over `features` int8 numbers: scores of classes from the nodes on the way from the root to a leaf, and no others.
   weights, gates: [2 * inner + 1][rows][features]; branches: [inner][features]; tanh: [33], of 0, 1/8, ... 4 in Q0.15. A row is a class, or
   one row tells two classes apart by its sign. About 2 * rows + 1 products for each feature and node on the way. */
#ifndef LICHEN_BONSAI_TREE_S8_H
#define LICHEN_BONSAI_TREE_S8_H

#include "lichen_dot_s8.h"
#include "lichen_fixed_point.h"

typedef struct {
    int16_t inner, rows, classes, features;
    int16_t shift;
    int32_t multiplier, limit; /* of sums of gates: to steps of 1/2048; the first beyond the table */
} lichen_bonsai_tree_s8_params;

LICHEN_LOOP int32_t lichen_bonsai_sum_s8(const int8_t *z, const int8_t *row, int features)
{
    int32_t sum = 0;
    (void)lichen_dot_s8(&sum, z, row, features, 1);
    return sum;
}

/* tanh of a sum of gates that is not negative, in Q0.15: a straight line between two entries of the table. */
LICHEN_FOLDED int32_t lichen_bonsai_tanh_s8(const lichen_bonsai_tree_s8_params *p, const int16_t *tanh, int32_t sum)
{
    if (sum >= p->limit) {
        return lichen_flash_s16(tanh + 32);
    }
    const uint16_t x = (uint16_t)lichen_requantise(sum, p->multiplier, p->shift);
    const int16_t *const entry = tanh + (x >> 8);
    const int16_t below = lichen_flash_s16(entry);
    const int32_t rise = lichen_flash_s16(entry + 1) - below;
    return below + ((rise * (uint8_t)x) >> 8);
}

LICHEN_KERNEL void lichen_bonsai_tree_s8(const lichen_bonsai_tree_s8_params *p, const int8_t *z, const int8_t *weights, const int8_t *gates,
    const int8_t *branches, const int16_t *tanh, int32_t *scores)
{
    int node = 0;
    memset(scores, 0, (size_t)p->classes * sizeof *scores);
    for (;;) {
        for (int row = 0; row < p->rows; row++) {
            const int at = (node * p->rows + row) * p->features;
            const int32_t gate = lichen_bonsai_sum_s8(z, gates + at, p->features);
            const int32_t opening = lichen_bonsai_tanh_s8(p, tanh, gate < 0 ? -gate : gate);
            const int32_t part = lichen_high_mul(lichen_bonsai_sum_s8(z, weights + at, p->features), opening * 65536);
            scores[row] += gate < 0 ? -part : part;
        }
        if (node >= p->inner) {
            break;
        }
        node = 2 * node + (lichen_bonsai_sum_s8(z, branches + node * p->features, p->features) > 0 ? 1 : 2);
    }
    if (p->rows < p->classes) {
        scores[1] = scores[0];
        scores[0] = -scores[0];
    }
}

#endif
