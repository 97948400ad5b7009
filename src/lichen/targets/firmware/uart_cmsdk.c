/* The UART of Arm's CMSDK, on the MPS2 and MPS3 boards. LICHEN_UART_BASE is UART0's address on the machine.
   Registers: Cortex-M System Design Kit Technical Reference Manual, "APB UART". */
#include "port.h"

typedef struct {
    volatile uint32_t data, state, ctrl, interrupt, bauddiv;
} cmsdk_uart;

#define UART ((cmsdk_uart *)LICHEN_UART_BASE)
#define STATE_TX_FULL 1u
#define STATE_RX_FULL 2u
#define CTRL_TX_ENABLE 1u
#define CTRL_RX_ENABLE 2u
#define PERIPHERAL_HZ 25000000u

void port_init(void)
{
    UART->bauddiv = PERIPHERAL_HZ / 115200u;
    UART->ctrl = CTRL_TX_ENABLE | CTRL_RX_ENABLE;
    (void)UART->data; /* drops a byte that came before; QEMU looks at its input again only after a read */
    port_write(0);
}

int port_read(void)
{
    while (!(UART->state & STATE_RX_FULL)) {
    }
    return (int)(UART->data & 0xFFu);
}

void port_write(uint8_t byte)
{
    while (UART->state & STATE_TX_FULL) {
    }
    UART->data = byte;
}
