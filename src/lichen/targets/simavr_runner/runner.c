/* Runs an AVR firmware in libsimavr, its UART being standard input and output, and counts what its first inference takes.

   usage: runner ELF MCU HZ REPORT BEGIN END MARK ROW

   BEGIN, END, MARK and ROW are the addresses in flash of lichen_mark_begin, lichen_mark_end, lichen_mark and
   lichen_mark_row (0 when the firmware has none of the last two). When the first inference is over the file REPORT holds one line of JSON: the cycles and
   instructions from the return of lichen_mark_begin to the call of lichen_mark_end, and of each operator, from the return
   of one lichen_mark to the call of the next; the calls and the marks themselves are not counted, nor is what runs within
   lichen_mark_row, in which the inference waits for a row of its input.

   How it works inside: up to the end of the first inference the core executes one instruction at a time, so that the
   program counter can be watched; after that it runs freely. Emulated time has nothing to do with real time: while the
   firmware waits for a byte and there is none, the process sleeps in read(). The firmware is known to wait by its polls
   of the UART's status: no firmware that sends or computes polls it many times on end while the transmitter is free and
   the receiver empty. */
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <simavr/avr_uart.h>
#include <simavr/sim_avr.h>
#include <simavr/sim_elf.h>

enum {
    UCSR0A = 0xC0,           /* the UART's status register, in the data space of the ATmega328P */
    UDRE0 = 1 << 5,          /* its bit "transmitter takes a byte" */
    WAITING_POLLS = 8,       /* polls on end after which the firmware waits; a sender makes two at most */
    LINE_CYCLES = 64,        /* a byte on the line; no figure depends on it, and 115200 baud would take 1400 */
    FREE_RUN_CYCLES = 1 << 16,
    CHECK_CYCLES = 1 << 24,  /* how often to check that somebody still reads the line */
    MOST_MARKS = 4096
};

static void fail(const char *what, const char *which)
{
    fprintf(stderr, "%s %s\n", what, which);
    exit(1);
}

/* The line */

static struct {
    avr_t *avr;
    avr_uart_t *uart;
    avr_irq_t *input;
    int out_fd;
    uint8_t in[4096], out[4096];
    size_t in_next, in_count, out_count;
    bool full;           /* the UART takes no more */
    unsigned idle_polls; /* on end, of a UART that could send and has received nothing */
} line;

static void line_flush(void)
{
    size_t done = 0;
    while (done < line.out_count) {
        const ssize_t written = write(line.out_fd, line.out + done, line.out_count - done);
        if (written <= 0) exit(0);
        done += (size_t)written;
    }
    line.out_count = 0;
}

static void line_wait(void)
{
    line_flush();
    const ssize_t got = read(STDIN_FILENO, line.in, sizeof line.in);
    if (got <= 0) exit(0); /* the host has closed the line */
    line.in_next = 0;
    line.in_count = (size_t)got;
}

/* The firmware has sent a byte. */
static void on_output(avr_irq_t *irq, uint32_t value, void *param)
{
    (void)irq, (void)param;
    line.idle_polls = 0;
    line.out[line.out_count++] = (uint8_t)value;
    if (line.out_count == sizeof line.out) line_flush();
}

/* The firmware looks at a UART whose receive buffer is empty. */
static void on_receiver_empty(avr_irq_t *irq, uint32_t value, void *param)
{
    (void)irq, (void)value, (void)param;
    line.uart->cycles_per_byte = LINE_CYCLES;
    line.full = false;
    line.idle_polls = line.avr->data[UCSR0A] & UDRE0 ? line.idle_polls + 1 : 0;
    if (line.in_next == line.in_count && line.idle_polls >= WAITING_POLLS) line_wait();
    while (!line.full && line.in_next < line.in_count) {
        line.idle_polls = 0;
        avr_raise_irq(line.input, line.in[line.in_next++]);
    }
}

static void on_receiver_full(avr_irq_t *irq, uint32_t value, void *param)
{
    (void)irq, (void)param;
    line.full = value != 0;
}

static void line_connect(avr_t *avr)
{
    /* What simavr prints goes to standard output too: that becomes standard error, and the line keeps the descriptor. */
    line.out_fd = dup(STDOUT_FILENO);
    dup2(STDERR_FILENO, STDOUT_FILENO);

    line.avr = avr;
    for (avr_io_t *io = avr->io_port; io; io = io->next) {
        if (strcmp(io->kind, "uart") == 0) line.uart = (avr_uart_t *)io;
    }
    uint32_t no_flags = 0; /* no copy of the output on the console, no sleeping in real time */
    if (!line.uart || avr_ioctl(avr, AVR_IOCTL_UART_SET_FLAGS('0'), &no_flags) != 0) fail("no UART on", avr->mmcu);
    line.input = avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_INPUT);
    avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUTPUT), on_output, NULL);
    avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUT_XON), on_receiver_empty, NULL);
    avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUT_XOFF), on_receiver_full, NULL);
}

/* Counting */

typedef struct {
    uint64_t cycles, instructions;
} count;

typedef struct {
    avr_flashaddr_t begin, end, mark, row;
} marks;

static count difference(count from, count to)
{
    return (count){to.cycles - from.cycles, to.instructions - from.instructions};
}

static void write_report(const char *path, count inference, const count *ops, size_t op_count)
{
    FILE *file = fopen(path, "w");
    if (!file) fail("cannot write", path);
    fprintf(file, "{\"cycles\": %llu, \"instructions\": %llu, \"ops\": [", (unsigned long long)inference.cycles,
            (unsigned long long)inference.instructions);
    for (size_t i = 0; i < op_count; i++) {
        fprintf(file, "%s{\"cycles\": %llu, \"instructions\": %llu}", i ? ", " : "", (unsigned long long)ops[i].cycles,
                (unsigned long long)ops[i].instructions);
    }
    fprintf(file, "]}\n");
    if (fclose(file) != 0) fail("cannot write", path);
}

static uint64_t instructions;
static count skipped;

/* A firmware that computes for ever must not outlive its host, of which it hears nothing. */
static void check_for_reader(void)
{
    struct pollfd reader = {line.out_fd, 0, 0};
    if (poll(&reader, 1, 0) > 0 && reader.revents & POLLERR) exit(0);
}

static void run(avr_t *avr)
{
    static avr_cycle_count_t check = CHECK_CYCLES;
    if (avr_run(avr) != cpu_Running) fail("the firmware has crashed or stopped on", avr->mmcu);
    if (avr->cycle >= check) {
        check = avr->cycle + CHECK_CYCLES;
        check_for_reader();
    }
}

static void step(avr_t *avr)
{
    run(avr);
    instructions++;
}

static uint16_t stack_pointer(const avr_t *avr)
{
    return (uint16_t)(avr->data[R_SPL] | avr->data[R_SPH] << 8);
}

static count now(const avr_t *avr)
{
    return (count){avr->cycle - skipped.cycles, instructions - skipped.instructions};
}

/* From the first instruction of a function to behind its return, which leaves the stack pointer above where it was. */
static void step_out(avr_t *avr)
{
    const uint16_t inside = stack_pointer(avr);
    while (stack_pointer(avr) <= inside) step(avr);
}

static void count_first_inference(avr_t *avr, const char *report, const marks *at)
{
    static count ops[MOST_MARKS];
    size_t passed = 0;
    while (avr->pc != at->begin) step(avr);
    step_out(avr);
    const count start = now(avr);
    count before = start, op_start = start; /* `before` is the count in front of the instruction that led here: the call */
    while (avr->pc != at->end) {
        if (at->mark && avr->pc == at->mark) {
            if (passed > 0 && passed <= MOST_MARKS) ops[passed - 1] = difference(op_start, before);
            passed++;
            step_out(avr);
            op_start = now(avr);
        }
        if (at->row && avr->pc == at->row) {
            const count called = now(avr);
            step_out(avr);
            const count waited = difference(called, now(avr));
            skipped.cycles += waited.cycles;
            skipped.instructions += waited.instructions;
        }
        before = now(avr);
        step(avr);
    }
    if (passed > MOST_MARKS + 1) fail("too many kernel calls in", report);
    write_report(report, difference(start, before), ops, passed ? passed - 1 : 0);
}

static avr_flashaddr_t address(const char *word)
{
    return (avr_flashaddr_t)strtoul(word, NULL, 0);
}

static void log_to_stderr(avr_t *avr, const int level, const char *format, va_list arguments)
{
    (void)avr;
    if (level <= LOG_ERROR) vfprintf(stderr, format, arguments);
}

static void never_sleep(avr_t *avr, avr_cycle_count_t cycles)
{
    (void)avr, (void)cycles;
}

int main(int argc, char **argv)
{
    if (argc != 9) fail("usage:", "runner ELF MCU HZ REPORT BEGIN END MARK ROW");
    avr_global_logger_set(log_to_stderr);
    elf_firmware_t firmware = {0};
    if (elf_read_firmware(argv[1], &firmware) != 0) fail("not a firmware image:", argv[1]);
    avr_t *avr = avr_make_mcu_by_name(argv[2]);
    if (!avr) fail("simavr does not know", argv[2]);
    avr_init(avr);
    avr->sleep = never_sleep;
    firmware.frequency = (uint32_t)strtoul(argv[3], NULL, 10);
    avr_load_firmware(avr, &firmware);
    line_connect(avr);
    count_first_inference(avr, argv[4], &(marks){address(argv[5]), address(argv[6]), address(argv[7]), address(argv[8])});
    avr->run_cycle_limit = FREE_RUN_CYCLES;
    for (;;) run(avr);
}
