/* Integers as bytes, little endian, whatever the processor's own order and alignment. */
#ifndef LICHEN_BYTES_H
#define LICHEN_BYTES_H

#include <stdint.h>

static inline uint16_t lichen_load_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] | (unsigned)p[1] << 8);
}

static inline uint32_t lichen_load_u32(const uint8_t *p)
{
    return lichen_load_u16(p) | (uint32_t)lichen_load_u16(p + 2) << 16;
}

static inline uint64_t lichen_load_u64(const uint8_t *p)
{
    return lichen_load_u32(p) | (uint64_t)lichen_load_u32(p + 4) << 32;
}

static inline void lichen_store_u16(uint8_t *p, uint16_t x)
{
    p[0] = (uint8_t)(x & 0xFFu);
    p[1] = (uint8_t)(x >> 8);
}

static inline void lichen_store_u32(uint8_t *p, uint32_t x)
{
    lichen_store_u16(p, (uint16_t)(x & 0xFFFFu));
    lichen_store_u16(p + 2, (uint16_t)(x >> 16));
}

static inline void lichen_store_u64(uint8_t *p, uint64_t x)
{
    lichen_store_u32(p, (uint32_t)(x & UINT32_C(0xFFFFFFFF)));
    lichen_store_u32(p + 4, (uint32_t)(x >> 32));
}

#endif
