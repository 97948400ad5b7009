/* Gathers the elements of the result, in order, from an operand that is walked by strides: slices and transpositions of any
   element type. A run whose elements are neighbours is moved as a whole. */
#ifndef LICHEN_STRIDED_COPY_H
#define LICHEN_STRIDED_COPY_H

#include "lichen_move.h"
#include "lichen_walk.h"

typedef struct {
    int32_t rows, inner; /* runs of `inner` elements */
    int32_t start, step; /* first element, and from one to the next in a run */
    int16_t dimensions, element_bytes, in_flash;
} lichen_strided_copy_params;

LICHEN_KERNEL void lichen_strided_copy(const lichen_strided_copy_params *p, const void *in, void *out, const int32_t *geometry)
{
    const int rows = (int)p->rows;
    const int inner = (int)p->inner;
    const int step = (int)p->step;
    const int bytes = p->element_bytes;
    const int in_flash = p->in_flash;
    const int8_t *source = (const int8_t *)in + (int)p->start * bytes;
    int8_t *to = (int8_t *)out;
    const int dimensions = p->dimensions;
    lichen_walk at;
    lichen_walk_start(&at, dimensions);
    for (int row = 0; row < rows; row++) {
        const int8_t *from = source + at.a * bytes;
        if (step == 1) {
            lichen_move(to, from, inner * bytes, in_flash);
            to += inner * bytes;
        } else {
            for (int i = 0; i < inner; i++) {
                lichen_move_element(to, from, bytes, in_flash);
                to += bytes;
                from += step * bytes;
            }
        }
        lichen_walk_next(&at, geometry, dimensions);
    }
}

#endif
