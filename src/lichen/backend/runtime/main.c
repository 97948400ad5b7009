/* The firmware: serves the model of "model.h" over the port. */
#include "lichen_device.h"

static lichen_device device;

#ifdef LICHEN_VALIDATE
uint16_t lichen_stop = LICHEN_STOP_NEVER;
#endif

#if defined(__GNUC__)
#define KEEP_CALLS __attribute__((noinline))
#define KEEP_BODY __asm__ volatile("" ::: "memory") /* or the compiler would see that the call does nothing */
#else
#define KEEP_CALLS
#define KEEP_BODY ((void)0)
#endif

KEEP_CALLS void lichen_mark_begin(void) { KEEP_BODY; }
KEEP_CALLS void lichen_mark_end(void) { KEEP_BODY; }

#ifdef MODEL_ROW_INPUTS
KEEP_CALLS bool lichen_mark_row(void *context, unsigned input, unsigned row, void *destination)
{
    return lichen_device_next_row((lichen_device *)context, input, row, destination);
}
#endif

int main(void)
{
    lichen_device_init(&device, port_write);
    port_init();
    for (;;) lichen_device_feed(&device, (uint8_t)port_read());
}
