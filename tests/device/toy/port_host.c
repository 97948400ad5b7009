/* The port of a firmware that runs as a process of the host: the line is its standard input and output. */
#include "port.h"

#include <stdlib.h>
#include <unistd.h>

static uint8_t in[4096], out[4096];
static size_t in_count, in_next, out_count;

static void flush(void)
{
    size_t done = 0;
    while (done < out_count) {
        const ssize_t written = write(1, out + done, out_count - done);
        if (written <= 0) exit(0);
        done += (size_t)written;
    }
    out_count = 0;
}

void port_init(void)
{
    port_write(0);
}

int port_read(void)
{
    if (in_next == in_count) {
        flush();
        const ssize_t got = read(0, in, sizeof in);
        if (got <= 0) exit(0);
        in_count = (size_t)got;
        in_next = 0;
    }
    return in[in_next++];
}

void port_write(uint8_t byte)
{
    out[out_count++] = byte;
    if (out_count == sizeof out) flush();
}

uint8_t *port_stack_bottom(void)
{
    return in;
}

uint8_t *port_stack_top(void)
{
    return in + sizeof in;
}

uint32_t port_stack_used(void)
{
    return 1234;
}
