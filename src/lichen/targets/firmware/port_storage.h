/* Where a machine keeps state without power. A machine that can has one storage_*.c that implements this. */
#ifndef LICHEN_PORT_STORAGE_H
#define LICHEN_PORT_STORAGE_H

#include "lichen_storage.h"

lichen_storage port_storage(void);

#endif
