/* Storage in two sectors of the flash of an STM32F4, numbers LICHEN_STORAGE_SECTOR and the one behind it, of
   LICHEN_STORAGE_SLOT_BYTES each from LICHEN_STORAGE_ORIGIN. While the controller erases or programs, a fetch from the same flash
   waits, so nothing has to run from RAM; erasing a sector of 128 KiB takes one to two seconds.
   Programming by words needs a supply of 2.7 V or more, which ST's boards have. The flash interface's caches are off, as after a
   reset: with them on, an erase would have to be followed by a reset of both (bits 11 and 12 of FLASH_ACR).
   Registers: ST RM0383 (STM32F411), RM0090 (STM32F405), "Embedded Flash memory interface". QEMU has no such controller. */
#include <string.h>

#include "port_storage.h"

#ifndef FLASH /* a test puts a model of the controller here */
typedef struct {
    volatile uint32_t acr, keyr, optkeyr, sr, cr;
} stm32_flash;

#define FLASH ((stm32_flash *)0x40023C00u)
#endif
#define KEY_1 0x45670123u
#define KEY_2 0xCDEF89ABu
#define SR_ERRORS 0xF2u /* OPERR, WRPERR, PGAERR, PGPERR, PGSERR; cleared by writing ones */
#define SR_BUSY (1u << 16)
#define CR_PROGRAM (1u << 0)
#define CR_SECTOR_ERASE (1u << 1)
#define CR_SECTOR(number) ((uint32_t)(number) << 3)
#define CR_BY_BYTES (0u << 8)
#define CR_BY_WORDS (2u << 8)
#define CR_START (1u << 16)
#define CR_LOCK (1u << 31)

static uint8_t *address(unsigned slot, size_t offset)
{
    return (uint8_t *)LICHEN_STORAGE_ORIGIN + slot * (size_t)LICHEN_STORAGE_SLOT_BYTES + offset;
}

static void unlock(void)
{
    while (FLASH->sr & SR_BUSY) {
    }
    if (FLASH->cr & CR_LOCK) {
        FLASH->keyr = KEY_1;
        FLASH->keyr = KEY_2;
    }
    FLASH->sr = SR_ERRORS; /* of others before, which would keep the next operation from starting */
}

static bool finish(void)
{
    while (FLASH->sr & SR_BUSY) {
    }
    return !(FLASH->sr & SR_ERRORS);
}

static bool flash_read(void *context, unsigned slot, size_t offset, uint8_t *bytes, size_t count)
{
    (void)context;
    memcpy(bytes, address(slot, offset), count);
    return true;
}

static bool flash_erase(void *context, unsigned slot)
{
    (void)context;
    unlock();
    const uint32_t erase = CR_BY_WORDS | CR_SECTOR(LICHEN_STORAGE_SECTOR + slot) | CR_SECTOR_ERASE;
    FLASH->cr = erase;
    FLASH->cr = erase | CR_START;
    const bool erased = finish();
    FLASH->cr = CR_LOCK;
    return erased;
}

/* Whole words where `to` is aligned to them, bytes before and after. */
static bool program(uint8_t *to, const uint8_t *bytes, size_t count)
{
    bool done = true;
    while (done && count > 0) {
        const size_t width = (uintptr_t)to % 4u == 0 && count >= 4 ? 4 : 1;
        if (width == 4) {
            uint32_t word;
            memcpy(&word, bytes, sizeof word);
            FLASH->cr = CR_BY_WORDS | CR_PROGRAM;
            *(volatile uint32_t *)(void *)to = word;
        } else {
            FLASH->cr = CR_BY_BYTES | CR_PROGRAM;
            *(volatile uint8_t *)to = *bytes;
        }
        done = finish();
        to += width;
        bytes += width;
        count -= width;
    }
    return done;
}

static bool flash_write(void *context, unsigned slot, size_t offset, const uint8_t *bytes, size_t count)
{
    (void)context;
    unlock();
    const bool written = program(address(slot, offset), bytes, count);
    FLASH->cr = CR_LOCK;
    return written;
}

lichen_storage port_storage(void)
{
    const lichen_storage storage = {NULL, LICHEN_STORAGE_SLOT_BYTES, flash_read, flash_erase, flash_write};
    return storage;
}
