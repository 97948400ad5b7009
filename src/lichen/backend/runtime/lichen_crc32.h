/* CRC-32 as zlib, PNG and Ethernet compute it: reflected polynomial 0xEDB88320, all ones first, inverted last. */
#ifndef LICHEN_CRC32_H
#define LICHEN_CRC32_H

#include <stddef.h>
#include <stdint.h>

#define LICHEN_CRC32_START UINT32_C(0)

/* The CRC of any bytes followed by their own CRC, little endian. */
#define LICHEN_CRC32_RESIDUE UINT32_C(0x2144DF1C)

/* The CRC of what `crc` covers followed by `count` bytes. Bit by bit, because a table would take RAM on AVR and the UART
   is slower still. */
static inline uint32_t lichen_crc32(uint32_t crc, const uint8_t *bytes, size_t count)
{
    crc = ~crc;
    for (size_t i = 0; i < count; i++) {
        crc ^= bytes[i];
        for (uint8_t bit = 0; bit < 8; bit++) {
            crc = (crc & 1u) ? (crc >> 1) ^ UINT32_C(0xEDB88320) : crc >> 1;
        }
    }
    return ~crc;
}

#endif
