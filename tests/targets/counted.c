/* Runs an inference between the marks, once for every byte received; the test brings the function in assembly, so that its instructions
   are known. */
#include "lichen_mark.h"
#include "port.h"

void lichen_mark_begin(void);
void lichen_mark_end(void);
void counted_inference(void);

__attribute__((noinline)) void lichen_mark_begin(void)
{
    __asm volatile("" ::: "memory");
}
__attribute__((noinline)) void lichen_mark_end(void)
{
    __asm volatile("" ::: "memory");
}

/* Its own function, so that nothing but the call stands between the marks. */
__attribute__((noinline)) static void run(void)
{
    lichen_mark_begin();
    counted_inference();
    lichen_mark_end();
    __asm volatile(""); /* or the last call would be a jump, and what precedes a return would stand in front of it */
}

int main(void)
{
    port_init();
    for (;;) {
        const int byte = port_read();
        run();
        port_write((uint8_t)byte);
    }
}
