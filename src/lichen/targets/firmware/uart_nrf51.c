/* The UART of Nordic's nRF51 on the pins of the BBC micro:bit (TXD P0.24, RXD P0.25).
   Registers: nRF51 Series Reference Manual, "Universal Asynchronous Receiver/Transmitter". */
#include "port.h"

#define REGISTER(offset) (*(volatile uint32_t *)(0x40002000u + (offset)))
#define TASKS_STARTRX REGISTER(0x000u)
#define TASKS_STARTTX REGISTER(0x008u)
#define EVENTS_RXDRDY REGISTER(0x108u)
#define EVENTS_TXDRDY REGISTER(0x11Cu)
#define ENABLE REGISTER(0x500u)
#define PSELTXD REGISTER(0x50Cu)
#define PSELRXD REGISTER(0x514u)
#define RXD REGISTER(0x518u)
#define TXD REGISTER(0x51Cu)
#define BAUDRATE REGISTER(0x524u)

void port_init(void) {
    PSELTXD = 24u;
    PSELRXD = 25u;
    BAUDRATE = 0x01D7E000u; /* 115200 baud */
    ENABLE = 4u;
    TASKS_STARTRX = 1u;
    TASKS_STARTTX = 1u;
    port_write(0);
}

int port_read(void) {
    while (!EVENTS_RXDRDY) {
    }
    EVENTS_RXDRDY = 0; /* before RXD, whose reading raises it again when another byte waits */
    return (int)(RXD & 0xFFu);
}

void port_write(uint8_t byte) {
    EVENTS_TXDRDY = 0;
    TXD = byte;
    while (!EVENTS_TXDRDY) {
    }
}
