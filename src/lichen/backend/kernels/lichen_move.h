/* Copying of bytes whatever they mean, in place too. */
#ifndef LICHEN_MOVE_H
#define LICHEN_MOVE_H

#include "lichen_common.h"

#if defined(__GNUC__) && defined(__ARM_FEATURE_UNALIGNED)
/* As memmove, by words from any address: 1 instruction a byte. That of the small C libraries for microcontrollers goes byte by byte, in 4.
   The compiler is kept from finding a memmove in this. */
LICHEN_LOOP void lichen_move_words(int8_t *to, const int8_t *from, int n)
{
    const int forward = (uintptr_t)to <= (uintptr_t)from ? 1 : -1;
    if (forward < 0) {
        to += n - 8;
        from += n - 8;
    }
    for (int pairs = n >> 3; pairs > 0; pairs--, to += 8 * forward, from += 8 * forward) {
        uint32_t first, second;
        memcpy(&first, from, sizeof first);
        memcpy(&second, from + 4, sizeof second);
        __asm__("" : "+r"(first), "+r"(second));
        memcpy(to, &first, sizeof first);
        memcpy(to + 4, &second, sizeof second);
    }
    if (forward < 0) {
        to += 7;
        from += 7;
    }
    for (int left = n & 7; left > 0; left--, to += forward, from += forward) {
        int8_t byte = *from;
        __asm__("" : "+r"(byte));
        *to = byte;
    }
}
#define LICHEN_MOVE(to, from, n) lichen_move_words((int8_t *)(to), (const int8_t *)(from), n)
#else
#define LICHEN_MOVE(to, from, n) memmove(to, from, (size_t)(n))
#endif

/* n bytes; source and target may overlap unless the source is in flash. */
LICHEN_INLINE void lichen_move(void *to, const void *from, int n, int from_flash)
{
    if (from_flash) {
        lichen_flash_copy(to, from, (size_t)n);
    } else {
        LICHEN_MOVE(to, from, n);
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
