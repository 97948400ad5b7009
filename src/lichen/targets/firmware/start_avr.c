/* The painted stack of AVR; the rest of the start-up is avr-libc's. */
#include "port.h"

#define PAINT 0xC5

/* From the linker: one past the static variables, and the last byte of RAM. */
extern uint8_t _end, __stack;

/* .init3 runs after the stack pointer is set and before .data and .bss are filled; as nothing may be pushed there, it is assembly. */
__attribute__((naked, used, section(".init3"))) static void paint_stack(void)
{
    __asm volatile(
        "ldi r30, lo8(_end)\n\t"
        "ldi r31, hi8(_end)\n\t"
        "ldi r24, %0\n\t"
        "ldi r25, hi8(__stack + 1)\n"
        "1:\n\t"
        "st Z+, r24\n\t"
        "cpi r30, lo8(__stack + 1)\n\t"
        "cpc r31, r25\n\t"
        "brne 1b\n\t" ::"n"(PAINT));
}

uint8_t *port_stack_bottom(void)
{
    return &_end;
}
uint8_t *port_stack_top(void)
{
    return &__stack + 1;
}

uint32_t port_stack_used(void)
{
    const uint8_t *p = port_stack_bottom();
    while (p < port_stack_top() && *p == PAINT) p++;
    return (uint32_t)(port_stack_top() - p);
}
