/* The UART of Nordic's nRF51 on the pins of the BBC micro:bit (TXD P0.24, RXD P0.25).
   Registers: nRF51 Series Reference Manual, "Universal Asynchronous Receiver/Transmitter". */
#include "port.h"

#define UART0 0x40002000u
#define TIMER0 0x40008000u
#define REGISTER(address) (*(volatile uint32_t *)(address))
#define TASKS_STARTRX REGISTER(UART0 + 0x000u)
#define TASKS_STARTTX REGISTER(UART0 + 0x008u)
#define EVENTS_RXDRDY REGISTER(UART0 + 0x108u)
#define EVENTS_TXDRDY REGISTER(UART0 + 0x11Cu)
#define ENABLE REGISTER(UART0 + 0x500u)
#define PSELTXD REGISTER(UART0 + 0x50Cu)
#define PSELRXD REGISTER(UART0 + 0x514u)
#define RXD REGISTER(UART0 + 0x518u)
#define TXD REGISTER(UART0 + 0x51Cu)
#define BAUDRATE REGISTER(UART0 + 0x524u)
#define TIMER_START REGISTER(TIMER0 + 0x000u)
#define TIMER_STOP REGISTER(TIMER0 + 0x004u)
#define TIMER_EVENT REGISTER(TIMER0 + 0x140u)
#define TIMER_COMPARE REGISTER(TIMER0 + 0x540u)

/* Waits a timer's tick. QEMU does not notice that the receiver has started, and looks at its input again only when a timer fires. */
static void wait_for_timer(void)
{
    TIMER_COMPARE = 16u;
    TIMER_START = 1u;
    while (!TIMER_EVENT) {
    }
    TIMER_STOP = 1u;
}

void port_init(void)
{
    PSELTXD = 24u;
    PSELRXD = 25u;
    BAUDRATE = 0x01D7E000u; /* 115200 baud */
    ENABLE = 4u;
    TASKS_STARTRX = 1u;
    TASKS_STARTTX = 1u;
    wait_for_timer();
    port_write(0);
}

int port_read(void)
{
    while (!EVENTS_RXDRDY) {
    }
    EVENTS_RXDRDY = 0; /* before RXD, whose reading raises it again when another byte waits */
    return (int)(RXD & 0xFFu);
}

void port_write(uint8_t byte)
{
    EVENTS_TXDRDY = 0;
    TXD = byte;
    while (!EVENTS_TXDRDY) {
    }
}
