/* The painted stack of AVR; the rest of the start-up is avr-libc's. */
#include <avr/io.h>

#include "port.h"

#define PAINT 0xC5

extern uint8_t _end; /* from the linker: one past the static variables */

/* .init3 runs after the stack pointer is set and before .data and .bss are filled; as nothing may be pushed there, it is assembly. */
__attribute__((naked, used, section(".init3"))) static void paint_stack(void)
{
    __asm volatile(
        "ldi r30, lo8(_end)\n\t"
        "ldi r31, hi8(_end)\n\t"
        "ldi r24, %0\n\t"
        "ldi r25, hi8(%1 + 1)\n"
        "1:\n\t"
        "st Z+, r24\n\t"
        "cpi r30, lo8(%1 + 1)\n\t"
        "cpc r31, r25\n\t"
        "brne 1b\n\t" ::"n"(PAINT),
        "n"(RAMEND));
}

uint8_t *port_stack_bottom(void)
{
    return &_end;
}
uint8_t *port_stack_top(void)
{
    return (uint8_t *)(RAMEND + 1);
}

uint32_t port_stack_used(void)
{
    const uint8_t *p = port_stack_bottom();
    while (p < port_stack_top() && *p == PAINT) p++;
    return (uint32_t)(port_stack_top() - p);
}
