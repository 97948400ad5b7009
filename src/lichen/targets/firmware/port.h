/* What the portable firmware needs of a machine. One uart_*.c and one start_*.c per machine family implement it. */
#ifndef LICHEN_PORT_H
#define LICHEN_PORT_H

#include <stdint.h>

/* Sets the UART up (115200 baud, 8N1 on real hardware) and sends one zero byte: the device listens from now on. Over the link a zero
   ends a frame, so this one is an empty frame, which both ends pass over; it also ends whatever the line held before the reset. */
void port_init(void);

int port_read(void);           /* the next byte, 0..255; waits for it */
void port_write(uint8_t byte); /* waits until the UART takes it */

/* The stack grows from top (one past its highest byte) down to bottom, the first byte after the static variables. */
uint8_t *port_stack_bottom(void);
uint8_t *port_stack_top(void);

/* Bytes of stack used at the deepest point since the reset: start-up code paints the stack, and this counts what is painted over. */
uint32_t port_stack_used(void);

#endif
