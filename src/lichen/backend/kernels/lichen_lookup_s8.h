/* Any function of one byte: out[i] = table[bit pattern of in[i]]. Also serves uint8 in or out. */
#ifndef LICHEN_LOOKUP_S8_H
#define LICHEN_LOOKUP_S8_H

#include "lichen_common.h"

typedef struct {
    int32_t count;
} lichen_lookup_s8_params;

LICHEN_KERNEL void lichen_lookup_s8(const lichen_lookup_s8_params *p, const void *in, void *out, const int8_t *table)
{
    const uint8_t *x = (const uint8_t *)in;
    int8_t *y = (int8_t *)out;
    const int count = (int)p->count;
    for (int i = 0; i < count; i++) {
        y[i] = lichen_flash_s8(table + x[i]);
    }
}

#endif
