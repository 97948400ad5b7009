/* Start-up of every Cortex-M: vector table, FPU, .data, .bss, a painted stack, main. No interrupt is ever enabled, so the vector table
   ends after the system exceptions. The symbols lichen_* without a definition here come from cortexm.ld. */
#include "port.h"

extern uint32_t lichen_data_load[], lichen_data_begin[], lichen_data_end[], lichen_bss_begin[], lichen_bss_end[];
extern uint8_t lichen_stack_bottom[], lichen_stack_top[];

#define CPACR (*(volatile uint32_t *)0xE000ED88u) /* coprocessor access control register */
#define PAINT 0xC5C5C5C5u

int main(void);
void lichen_reset(void);

/* A fault stops here for a debugger to find; to the host it is a device that no longer answers. */
static void fault(void)
{
    for (;;) {
    }
}

typedef union {
    uint8_t *stack;
    void (*handler)(void);
} vector;

__attribute__((section(".vectors"), used)) static const vector vectors[16] = {
    {.stack = lichen_stack_top}, {.handler = lichen_reset}, {.handler = fault}, {.handler = fault},
    {.handler = fault},          {.handler = fault},        {.handler = fault}, {.handler = fault},
    {.handler = fault},          {.handler = fault},        {.handler = fault}, {.handler = fault},
    {.handler = fault},          {.handler = fault},        {.handler = fault}, {.handler = fault},
};

static void prepare_memory(void)
{
    const uint32_t *load = lichen_data_load;
    for (uint32_t *p = lichen_data_begin; p < lichen_data_end; p++) *p = *load++;
    for (uint32_t *p = lichen_bss_begin; p < lichen_bss_end; p++) *p = 0;
}

/* Its own function, and volatile, so that nothing lives below its stack pointer while it paints. */
__attribute__((noinline)) static void paint_stack(void)
{
    volatile uint32_t *end;
    __asm volatile("mov %0, sp" : "=r"(end));
    for (volatile uint32_t *p = (volatile uint32_t *)(void *)lichen_stack_bottom; p < end; p++) *p = PAINT;
}

void lichen_reset(void)
{
#ifdef __ARM_FP
    CPACR |= 0xFu << 20; /* full access to CP10 and CP11: FPU and vector extension */
    __asm volatile("dsb\n\tisb" ::: "memory");
#endif
    prepare_memory();
    paint_stack();
    main();
    fault();
}

uint8_t *port_stack_bottom(void)
{
    return lichen_stack_bottom;
}
uint8_t *port_stack_top(void)
{
    return lichen_stack_top;
}

uint32_t port_stack_used(void)
{
    const uint32_t *p = (const uint32_t *)(const void *)lichen_stack_bottom;
    while (p < (const uint32_t *)(const void *)lichen_stack_top && *p == PAINT) p++;
    return (uint32_t)(lichen_stack_top - (const uint8_t *)p);
}
