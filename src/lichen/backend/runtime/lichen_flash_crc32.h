/* The CRC-32 of tables in flash, which on AVR is an address space of its own. */
#ifndef LICHEN_FLASH_CRC32_H
#define LICHEN_FLASH_CRC32_H

#include "lichen_common.h"
#include "lichen_crc32.h"

/* The CRC of what `crc` covers followed by `count` bytes of a table. */
LICHEN_LOOP uint32_t lichen_flash_crc32(uint32_t crc, const int8_t *table, int32_t count)
{
    for (; count > 0; count--, table++) {
        const uint8_t byte = (uint8_t)lichen_flash_s8(table);
        crc = lichen_crc32(crc, &byte, 1);
    }
    return crc;
}

#endif
