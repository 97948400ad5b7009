/* Storage in the EEPROM of an AVR, a slot in each half. A write is an erase and a write in one, byte by byte, 3.4 ms each, so
   there is nothing to erase before; bytes that are already right are not worn. */
#include <avr/eeprom.h>
#include <avr/io.h>

#include "port_storage.h"

#define SLOT_BYTES ((E2END + 1u) / 2u)

static uint8_t *address(unsigned slot, size_t offset)
{
    return (uint8_t *)(slot * SLOT_BYTES + offset);
}

static bool eeprom_read(void *context, unsigned slot, size_t offset, uint8_t *bytes, size_t count)
{
    (void)context;
    eeprom_read_block(bytes, address(slot, offset), count);
    return true;
}

/* One byte of its magic is enough to make a slot no blob. */
static bool eeprom_erase(void *context, unsigned slot)
{
    (void)context;
    eeprom_update_byte(address(slot, 0), 0xFF);
    return true;
}

static bool eeprom_write(void *context, unsigned slot, size_t offset, const uint8_t *bytes, size_t count)
{
    (void)context;
    eeprom_update_block(bytes, address(slot, offset), count);
    return true;
}

lichen_storage port_storage(void)
{
    const lichen_storage storage = {NULL, SLOT_BYTES, eeprom_read, eeprom_erase, eeprom_write};
    return storage;
}
