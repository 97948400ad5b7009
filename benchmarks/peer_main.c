/* Firmware around someone else's C: one inference between the marks that count it, with the input of all comparisons, byte i of
   input k = ((i * 37 + 11 + 101 * k) % 256) - 128. It waits for a byte of the host, infers, and sends the output. What takes another
   type of input defines peer_prepare as well, which is not counted. */
#include "peer.h"
#include "port.h"

__attribute__((noinline)) void lichen_mark_begin(void) { __asm__ volatile("" ::: "memory"); }
__attribute__((noinline)) void lichen_mark_end(void) { __asm__ volatile("" ::: "memory"); }

__attribute__((weak)) void peer_prepare(const int8_t *input) { (void)input; }

static int8_t inputs[PEER_INPUTS][PEER_INPUT_BYTES] __attribute__((aligned(8)));
static int8_t output[PEER_OUTPUT_BYTES] __attribute__((aligned(8)));

int main(void)
{
    for (unsigned k = 0; k < PEER_INPUTS; k++) {
        for (uint32_t i = 0; i < PEER_INPUT_BYTES; i++) inputs[k][i] = (int8_t)((int)((i * 37u + 11u + 101u * k) % 256u) - 128);
    }
    port_init();
    port_read();
    peer_prepare(inputs[0]);
    lichen_mark_begin();
    peer_infer(inputs[0], inputs[PEER_INPUTS - 1], output);
    lichen_mark_end();
    for (uint32_t i = 0; i < PEER_OUTPUT_BYTES; i++) port_write((uint8_t)output[i]);
    for (;;) port_read(); /* an emulator may hold back what was sent until the firmware waits for more */
}
