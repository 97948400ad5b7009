/* USART2 of the STM32F4 family on PA2 (TX) and PA3 (RX): the virtual serial port of ST's Nucleo boards. The core stays on the 16 MHz
   internal oscillator it wakes up with, so the same code serves every member of the family.
   Registers: ST RM0383 (STM32F411), RM0090 (STM32F405). */
#include "port.h"

typedef struct {
    volatile uint32_t sr, dr, brr, cr1;
} stm32_usart;

#define USART2 ((stm32_usart *)0x40004400u)
#define RCC_AHB1ENR (*(volatile uint32_t *)0x40023830u)
#define RCC_APB1ENR (*(volatile uint32_t *)0x40023840u)
#define GPIOA_MODER (*(volatile uint32_t *)0x40020000u)
#define GPIOA_AFRL (*(volatile uint32_t *)0x40020020u)
#define SR_RXNE (1u << 5)
#define SR_TXE (1u << 7)
#define CR1_RE (1u << 2)
#define CR1_TE (1u << 3)
#define CR1_UE (1u << 13)
#define OSCILLATOR_HZ 16000000u

void port_init(void)
{
    RCC_AHB1ENR |= 1u << 0;  /* clock of port A */
    RCC_APB1ENR |= 1u << 17; /* clock of USART2 */
    GPIOA_AFRL = (GPIOA_AFRL & ~0xFF00u) | 0x7700u;           /* PA2, PA3: alternate function 7 */
    GPIOA_MODER = (GPIOA_MODER & ~(0xFu << 4)) | (0xAu << 4); /* PA2, PA3: alternate function mode */
    USART2->brr = (OSCILLATOR_HZ + 115200u / 2u) / 115200u;
    USART2->cr1 = CR1_UE | CR1_TE | CR1_RE;
    port_write(0);
}

int port_read(void)
{
    while (!(USART2->sr & SR_RXNE)) {
    }
    return (int)(USART2->dr & 0xFFu);
}

void port_write(uint8_t byte)
{
    while (!(USART2->sr & SR_TXE)) {
    }
    USART2->dr = byte;
}
