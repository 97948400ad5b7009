/* Copies a tensor of any element type between the arena and the state. */
#ifndef LICHEN_COPY_H
#define LICHEN_COPY_H

#include "lichen_move.h"

typedef struct {
    int32_t bytes;
    int16_t in_flash;
} lichen_copy_params;

LICHEN_KERNEL void lichen_copy(const lichen_copy_params *p, const void *in, void *out)
{
    lichen_move(out, in, (int)p->bytes, p->in_flash);
}

#endif
