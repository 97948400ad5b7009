/* Storage on an emulated machine that has no flash controller: memory of the machine that the board it stands for does not
   have, at LICHEN_STORAGE_ORIGIN. It behaves like flash, and keeps its bytes through a reset of the machine but not past its
   end. */
#include "lichen_memory_storage.h"
#include "port_storage.h"

lichen_storage port_storage(void)
{
    static lichen_memory_storage memory = {(uint8_t *)LICHEN_STORAGE_ORIGIN, LICHEN_STORAGE_SLOT_BYTES, LICHEN_POWER_STAYS};
    return lichen_memory_as_storage(&memory);
}
