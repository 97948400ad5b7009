/* Copying of bytes whatever they mean, in place too. */
#ifndef LICHEN_MOVE_H
#define LICHEN_MOVE_H

#include "lichen_common.h"

/* n bytes; source and target may overlap unless the source is in flash. */
LICHEN_INLINE void lichen_move(void *to, const void *from, int n, int from_flash)
{
    if (from_flash) {
        lichen_flash_copy(to, from, (size_t)n);
    } else {
        memmove(to, from, (size_t)n);
    }
}

/* One element of 1, 2, 4 or 8 bytes, by a move whose size the compiler knows. */
LICHEN_INLINE void lichen_move_element(int8_t *to, const int8_t *from, int bytes, int from_flash)
{
    switch (bytes) {
    case 1: *to = from_flash ? lichen_flash_s8(from) : *from; break;
    case 2: lichen_move(to, from, 2, from_flash); break;
    case 4: lichen_move(to, from, 4, from_flash); break;
    default: lichen_move(to, from, 8, from_flash); break;
    }
}

#endif
