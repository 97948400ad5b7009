/* What keeps state through a power cut: two slots of flash, EEPROM or anything else that holds bytes without power.

   Whoever has such memory fills in a lichen_storage and hands it to the model's _save and _load. Of the memory no more is
   asked than flash gives: a slot is erased as a whole, afterwards every byte is written at most once, in ascending order,
   and erasing or writing one slot never alters the other.

       name_init(&model);
       name_load(&model, &storage);  at start-up; when nothing is saved the initial state stays
       ...
       name_save(&model, &storage);  whenever what has been learned is worth keeping */
#ifndef LICHEN_STORAGE_H
#define LICHEN_STORAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How a save or a load ended. Unless OK, a save has left what was saved before, and a load the model's state as it was
   (STORAGE_FAILED: see the model's _load). */
typedef enum {
    LICHEN_STATE_OK = 0,
    LICHEN_STATE_NOTHING_SAVED = 1,
    LICHEN_STATE_DAMAGED = 2,
    LICHEN_STATE_OTHER_VERSION = 3, /* of the blob's layout */
    LICHEN_STATE_OTHER_MODEL = 4,
    LICHEN_STATE_WRONG_LENGTH = 5,
    LICHEN_STATE_TOO_LARGE = 6,     /* for a slot */
    LICHEN_STATE_STORAGE_FAILED = 7 /* it does not hold what was written, or reads differently the second time */
} lichen_state_status;

/* The functions return whether they succeeded. `slot` is 0 or 1, `offset` counts from the beginning of the slot, and
   offset + count is at most slot_bytes. */
typedef struct {
    void *context; /* handed on to the functions */
    size_t slot_bytes;
    bool (*read)(void *context, unsigned slot, size_t offset, uint8_t *bytes, size_t count);
    bool (*erase)(void *context, unsigned slot);
    bool (*write)(void *context, unsigned slot, size_t offset, const uint8_t *bytes, size_t count);
} lichen_storage;

#endif
