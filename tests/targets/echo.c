/* Echoes every byte, except 's', to which it answers the bytes of stack used, and 'f', to which it answers whether arithmetic works. */
#include <math.h>
#include <string.h>

#include "port.h"

static volatile float third = 1.0f / 3.0f; /* initialised: tests .data, and the FPU where there is one */
static uint8_t zeros[5];                   /* tests .bss */

static void put32(uint32_t value)
{
    for (int i = 0; i < 4; i++) port_write((uint8_t)(value >> (8 * i)));
}

static uint32_t scaled(void)
{
    for (unsigned i = 0; i < sizeof zeros; i++) {
        if (zeros[i] != 0) return 0;
    }
    return (uint32_t)(third * 3000.0f + expf(third - third));
}

int main(void)
{
    port_init();
    for (;;) {
        const int byte = port_read();
        if (byte == 's') {
            put32(port_stack_used());
        } else if (byte == 'f') {
            put32(scaled());
        } else {
            port_write((uint8_t)byte);
        }
    }
}
