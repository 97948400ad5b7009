/* Storage in ordinary memory that behaves like flash: erased bytes are 0xFF, and writing can only clear bits.

   For the host, for emulated machines, and for tests, which let the power fail: every byte that is erased or written
   takes one unit of `power`; with the last unit only half of the byte's bits change, and then nothing does any more. */
#ifndef LICHEN_MEMORY_STORAGE_H
#define LICHEN_MEMORY_STORAGE_H

#include <string.h>

#include "lichen_storage.h"

#define LICHEN_POWER_STAYS SIZE_MAX

typedef struct {
    uint8_t *bytes; /* the two slots, one after the other */
    size_t slot_bytes;
    size_t power;
} lichen_memory_storage;

/* The bits of a byte that there is power to change. */
static inline uint8_t lichen_memory_power(lichen_memory_storage *self)
{
    if (self->power == LICHEN_POWER_STAYS) return 0xFFu;
    if (self->power == 0) return 0;
    return --self->power == 0 ? 0x55u : 0xFFu;
}

static inline bool lichen_memory_read(void *context, unsigned slot, size_t offset, uint8_t *bytes, size_t count)
{
    const lichen_memory_storage *const self = (const lichen_memory_storage *)context;
    memcpy(bytes, self->bytes + slot * self->slot_bytes + offset, count);
    return true;
}

static inline bool lichen_memory_erase(void *context, unsigned slot)
{
    lichen_memory_storage *const self = (lichen_memory_storage *)context;
    uint8_t *const bytes = self->bytes + slot * self->slot_bytes;
    for (size_t i = 0; i < self->slot_bytes; i++) bytes[i] = (uint8_t)(bytes[i] | lichen_memory_power(self));
    return self->power > 0;
}

static inline bool lichen_memory_write(void *context, unsigned slot, size_t offset, const uint8_t *bytes, size_t count)
{
    lichen_memory_storage *const self = (lichen_memory_storage *)context;
    uint8_t *const to = self->bytes + slot * self->slot_bytes + offset;
    for (size_t i = 0; i < count; i++) to[i] = (uint8_t)(to[i] & (bytes[i] | ~lichen_memory_power(self)));
    return self->power > 0;
}

static inline lichen_storage lichen_memory_as_storage(lichen_memory_storage *self)
{
    const lichen_storage storage = {
        self, self->slot_bytes, lichen_memory_read, lichen_memory_erase, lichen_memory_write};
    return storage;
}

#endif
