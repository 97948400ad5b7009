/* USART0 of the ATmega328P at 115200 baud; F_CPU is the board's clock.
   Registers: Microchip DS40002061, "USART0". */
#include <avr/io.h>

#include "port.h"

void port_init(void)
{
    UCSR0A = (uint8_t)(1u << U2X0); /* 8 samples a bit: 2.1 % off at 16 MHz, 3.5 % without */
    UBRR0 = (uint16_t)((F_CPU + 4UL * 115200UL) / (8UL * 115200UL) - 1UL);
    UCSR0C = (uint8_t)((1u << UCSZ01) | (1u << UCSZ00));
    UCSR0B = (uint8_t)((1u << RXEN0) | (1u << TXEN0));
    port_write(0);
}

int port_read(void)
{
    while (!(UCSR0A & (1u << RXC0))) {
    }
    return UDR0;
}

void port_write(uint8_t byte)
{
    while (!(UCSR0A & (1u << UDRE0))) {
    }
    UDR0 = byte;
}
