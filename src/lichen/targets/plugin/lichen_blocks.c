/* A QEMU plugin that counts how often each translated block runs during one inference.

   usage: -plugin FILE,out=PATH,begin=ADDRESS+BYTES,end=ADDRESS+BYTES,mark=ADDRESS+BYTES,row=ADDRESS+BYTES,skip=N

   `begin` and `end` are the functions lichen_mark_begin and lichen_mark_end, between which the inference runs,
   `mark` is lichen_mark and `row` lichen_mark_row (not given for a firmware without). From the call of `row` to its
   return, while the inference waits for a row of its input, nothing is counted. The first N inferences are skipped. When the inference has
   ended, PATH holds a line for every block that ran, "address bytes instructions executions taken" in decimal, where
   `taken` is how often the block after it was not the one behind it in memory. Every mark closes an interval of the
   inference, and so does its end: there a blank line follows.

   How it works inside: QEMU calls `on_execute` at the head of every block that runs. The block before the one at hand
   tells whether its branch was taken, and when a mark is reached, which block called it: that one is counted without
   its last instruction, so that neither the marks nor their calls are in any figure. Under `-icount` QEMU cuts blocks
   where a timer is due, which only makes other blocks of the same instructions. A block that accesses a device is cut
   in the middle and would be counted twice from there; an inference accesses none. One processor is assumed, as every
   machine of Lichen has. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qemu_plugin_api.h"

int qemu_plugin_version = QEMU_PLUGIN_VERSION;

typedef enum { CODE, BEGIN, END, MARK, ROW, FUNCTIONS } role;

typedef struct block {
    uint64_t address;
    uint32_t bytes, instructions;
    uint32_t last_bytes; /* of its last instruction */
    role role;
    uint64_t executions, taken; /* in the interval at hand */
    struct block *next_in_bucket, *next_touched;
} block;

enum { BUCKETS = 4096, PATH_BYTES = 4096 };

static struct {
    uint64_t address, bytes;
} functions[FUNCTIONS];

static block *buckets[BUCKETS];
static block *touched;  /* those that ran in the interval at hand */
static block *previous; /* the one that ran last; NULL right after a mark */
static bool recording, paused;
static uint64_t resume; /* where a paused count goes on */
static unsigned long skip;
static qemu_plugin_id_t plugin;
static FILE *out;
static char out_path[PATH_BYTES], part_path[PATH_BYTES];

static role role_of(uint64_t address)
{
    for (role r = BEGIN; r < FUNCTIONS; r++) {
        if (address - functions[r].address < functions[r].bytes) return r; /* unsigned: an address below is far above */
    }
    return CODE;
}

/* The block of these bytes, which may have been translated before. */
static block *block_at(uint64_t address, uint32_t bytes, uint32_t instructions)
{
    block **bucket = &buckets[(address >> 1) % BUCKETS];
    for (block *b = *bucket; b; b = b->next_in_bucket) {
        if (b->address == address && b->bytes == bytes) return b;
    }
    block *b = calloc(1, sizeof *b);
    if (!b) {
        fprintf(stderr, "lichen: out of memory while counting blocks\n");
        exit(1);
    }
    b->address = address;
    b->bytes = bytes;
    b->instructions = instructions;
    b->role = role_of(address);
    b->next_in_bucket = *bucket;
    *bucket = b;
    return b;
}

static void count(block *b)
{
    if (b->executions++ > 0) return;
    b->next_touched = touched;
    touched = b;
}

/* Takes the call that led to a mark out of the interval. */
static void discount_call(void)
{
    previous->executions--;
    if (previous->instructions > 1) {
        count(block_at(previous->address, previous->bytes - previous->last_bytes, previous->instructions - 1));
    }
    previous = NULL;
}

static void write_interval(void)
{
    for (block *b = touched; b; b = b->next_touched) {
        if (b->executions > 0) {
            fprintf(out, "%" PRIu64 " %" PRIu32 " %" PRIu32 " %" PRIu64 " %" PRIu64 "\n", b->address, b->bytes, b->instructions,
                    b->executions, b->taken);
        }
        b->executions = b->taken = 0;
    }
    touched = NULL;
    fputc('\n', out);
}

static void ignore(qemu_plugin_id_t id)
{
    (void)id;
}

/* The inference is over: the file appears under its name only now, complete, and the machine runs on at full speed. */
static void finish(void)
{
    recording = false;
    const bool failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed || rename(part_path, out_path) != 0) {
        fprintf(stderr, "lichen: cannot write %s\n", out_path);
    }
    out = NULL;
    qemu_plugin_uninstall(plugin, ignore);
}

static void on_execute(unsigned vcpu, void *data)
{
    (void)vcpu;
    block *const now = data;
    if (!recording && now->role != BEGIN) return;
    if (paused) {
        if (now->address != resume) return;
        paused = false;
    }
    switch (now->role) {
    case BEGIN:
        if (now->address != functions[BEGIN].address || recording) return; /* not its first block */
        if (skip > 0) {
            skip--;
        } else if (out) {
            recording = true;
        }
        return;
    case END:
    case MARK:
        if (!previous) return; /* not its first block */
        discount_call();
        write_interval();
        if (now->role == END) finish();
        return;
    case ROW:
        paused = true;
        resume = previous->address + previous->bytes; /* behind the call */
        previous->taken++;
        previous = NULL;
        return;
    default:
        if (previous && now->address != previous->address + previous->bytes) previous->taken++;
        count(now);
        previous = now;
    }
}

/* Read from the encoding, because what QEMU calls the size of an instruction at the end of a page includes the halfword
   it looked ahead to. */
static uint32_t thumb_size(const struct qemu_plugin_insn *instruction)
{
    const uint8_t *encoding = qemu_plugin_insn_data(instruction);
    return encoding[1] >> 3 >= 0x1D ? 4 : 2;
}

static void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    const size_t instructions = qemu_plugin_tb_n_insns(tb);
    uint32_t bytes = 0, last_bytes = 0;
    for (size_t i = 0; i < instructions; i++) {
        last_bytes = thumb_size(qemu_plugin_tb_get_insn(tb, i));
        bytes += last_bytes;
    }
    block *b = block_at(qemu_plugin_tb_vaddr(tb), bytes, (uint32_t)instructions);
    b->last_bytes = last_bytes;
    qemu_plugin_register_vcpu_tb_exec_cb(tb, on_execute, QEMU_PLUGIN_CB_NO_REGS, b);
}

static bool parse_function(const char *value, role which)
{
    return sscanf(value, "%" SCNu64 "+%" SCNu64, &functions[which].address, &functions[which].bytes) == 2;
}

static bool parse_argument(const char *argument)
{
    const char *value = strchr(argument, '=');
    if (!value) return false;
    const size_t key = (size_t)(value++ - argument);
#define IS(name) (key == sizeof name - 1 && strncmp(argument, name, key) == 0)
    if (IS("begin")) return parse_function(value, BEGIN);
    if (IS("end")) return parse_function(value, END);
    if (IS("mark")) return parse_function(value, MARK);
    if (IS("row")) return parse_function(value, ROW);
    if (IS("skip")) return sscanf(value, "%lu", &skip) == 1;
    if (!IS("out")) return false;
#undef IS
    return (size_t)snprintf(out_path, sizeof out_path, "%s", value) < sizeof out_path &&
           (size_t)snprintf(part_path, sizeof part_path, "%s.part", value) < sizeof part_path;
}

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (!parse_argument(argv[i])) {
            fprintf(stderr, "lichen: the plugin does not understand %s\n", argv[i]);
            return 1;
        }
    }
    if (functions[BEGIN].bytes == 0 || functions[END].bytes == 0) {
        fprintf(stderr, "lichen: the plugin needs begin and end\n");
        return 1;
    }
    out = fopen(part_path, "w");
    if (!out) {
        fprintf(stderr, "lichen: cannot write %s\n", part_path);
        return 1;
    }
    plugin = id;
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
    return 0;
}
