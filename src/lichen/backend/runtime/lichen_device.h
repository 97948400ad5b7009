/* A device: a link and the one model it serves, which "model.h" names.

   "model.h" is written by the toolchain and gives the generated model the names used here: model_t, model_init,
   model_infer, model_input, model_output, model_input_bytes, model_output_bytes, MODEL_NAME, MODEL_DIGEST, MODEL_INPUTS,
   MODEL_OUTPUTS, MODEL_ARENA_BYTES, MODEL_STATE_BYTES; where the model has state model_save and model_load; and where it learns
   model_lesson, model_learn_input and so on, model_learning_rate, MODEL_LEARN_INPUTS. Where inputs come by rows MODEL_ROW_INPUTS,
   model_input_row_bytes and MODEL_INFER_CHANGES_STATE; where weights are coded MODEL_CODED, and model_init says whether they are whole.

   A build for a machine with storage defines LICHEN_STORAGE. */
#ifndef LICHEN_DEVICE_H
#define LICHEN_DEVICE_H

#include <string.h>

#include "lichen_common.h"
#include "lichen_link.h"
#include "model.h"
#include "port.h"

#if MODEL_STATE_BYTES > 0
#include "lichen_device_state.h"
#else
#define LICHEN_STATE_FEATURES 0
#endif

#ifdef MODEL_LEARN_INPUTS
#include "lichen_device_learn.h"
#define LICHEN_CAN_LEARN LICHEN_FEATURE_LEARN
#define LICHEN_ALL_INPUTS (MODEL_INPUTS + MODEL_LEARN_INPUTS)
#else
#define LICHEN_CAN_LEARN 0
#define LICHEN_ALL_INPUTS MODEL_INPUTS
#endif

#ifdef MODEL_ROW_INPUTS
#include "lichen_device_rows.h"
#define LICHEN_TAKES_ROWS LICHEN_FEATURE_ROWS
#else
#define LICHEN_TAKES_ROWS 0
#endif

#ifdef LICHEN_VALIDATE
#include "lichen_stop.h"
#define LICHEN_CAN_VALIDATE LICHEN_FEATURE_VALIDATE
#else
#define LICHEN_CAN_VALIDATE 0
#endif

typedef struct {
    lichen_link link;
    model_t model;
#ifdef MODEL_CODED
    bool damaged; /* its coded weights in flash */
#endif
#if MODEL_STATE_BYTES > 0
    lichen_device_state state;
#endif
#ifdef MODEL_LEARN_INPUTS
    lichen_device_lessons lessons;
#endif
#ifdef MODEL_ROW_INPUTS
    lichen_device_rows rows;
#endif
    size_t written[LICHEN_ALL_INPUTS]; /* bytes of each input that are there for the next call; those of `learn` come last */
    bool inferred;                /* the outputs are those of the last inference; writing an input may overwrite them */
} lichen_device;

/* Called right before and after an inference: two addresses between which a simulator or a debugger counts. */
void lichen_mark_begin(void);
void lichen_mark_end(void);

#ifdef MODEL_ROW_INPUTS
/* The source of rows of a device, which is the context: a third address, at which a simulator stops to count until the call returns.
   It is lichen_device_next_row. */
bool lichen_mark_row(void *context, unsigned input, unsigned row, void *destination);
#endif

static inline void lichen_device_forget_tensors(lichen_device *self)
{
    for (unsigned i = 0; i < LICHEN_ALL_INPUTS; i++) self->written[i] = 0;
    self->inferred = false;
}

/* The model as it is before its first inference. */
static inline void lichen_device_renew(lichen_device *self)
{
#ifdef MODEL_CODED
    self->damaged = !model_init(&self->model);
#else
    model_init(&self->model);
#endif
#if MODEL_STATE_BYTES > 0
    lichen_device_state_renew(&self->state);
#endif
#ifdef MODEL_LEARN_INPUTS
    lichen_device_lessons_renew(&self->lessons);
#endif
#ifdef MODEL_ROW_INPUTS
    lichen_device_rows_renew(&self->rows);
#endif
    lichen_device_forget_tensors(self);
}

static inline void lichen_device_init(lichen_device *self, lichen_sink sink)
{
    lichen_link_init(&self->link, sink);
    lichen_device_renew(self);
}

/* Each operation below checks everything before it changes anything. It returns the status, and sets `reply` when there is
   one to send; a reply that has to be composed is composed over the request. */

static inline uint8_t lichen_device_info(lichen_device *self, const lichen_request *request, lichen_span *reply)
{
    static const char name[] LICHEN_FLASH = MODEL_NAME;
    uint8_t *p = request->payload;
    size_t count = 18;
    if (request->count != 0) return LICHEN_BAD_LENGTH;
    p[0] = LICHEN_PROTOCOL_VERSION;
    p[1] = LICHEN_CAN_VALIDATE | LICHEN_STATE_FEATURES | LICHEN_CAN_LEARN | LICHEN_TAKES_ROWS;
    lichen_store_u16(p + 2, LICHEN_MAX_PAYLOAD);
    p[4] = MODEL_INPUTS;
    p[5] = MODEL_OUTPUTS;
    lichen_store_u64(p + 6, MODEL_DIGEST);
    lichen_store_u32(p + 14, MODEL_ARENA_BYTES);
    for (size_t i = 0; i < sizeof name - 1 && count < LICHEN_MAX_PAYLOAD; i++) {
        p[count++] = (uint8_t)lichen_flash_s8((const int8_t *)name + i);
    }
    self->link.connected = true;
    reply->bytes = p;
    reply->count = count;
    return LICHEN_OK;
}

static inline uint8_t lichen_device_tensors(const lichen_request *request, lichen_span *reply)
{
    uint8_t *p = request->payload;
    size_t count = 0;
    if (request->count != 1) return LICHEN_BAD_LENGTH;
    if (p[0] >= MODEL_INPUTS + MODEL_OUTPUTS) return LICHEN_BAD_INDEX;
    for (unsigned i = p[0]; i < MODEL_INPUTS + MODEL_OUTPUTS && count + 4 <= LICHEN_MAX_PAYLOAD; i++, count += 4) {
        const size_t bytes = i < MODEL_INPUTS ? model_input_bytes(i) : model_output_bytes(i - MODEL_INPUTS);
        lichen_store_u32(p + count, (uint32_t)bytes);
    }
    reply->bytes = p;
    reply->count = count;
    return LICHEN_OK;
}

static inline uint8_t lichen_device_stack(const lichen_request *request, lichen_span *reply)
{
    if (request->count != 0) return LICHEN_BAD_LENGTH;
    lichen_store_u32(request->payload, port_stack_used());
    reply->bytes = request->payload;
    reply->count = 4;
    return LICHEN_OK;
}

static inline uint8_t lichen_device_counters(const lichen_device *self, const lichen_request *request, lichen_span *reply)
{
    const lichen_link_counters *counters = &self->link.counters;
    uint8_t *p = request->payload;
    if (request->count != 0) return LICHEN_BAD_LENGTH;
    lichen_store_u32(p, counters->requests);
    lichen_store_u32(p + 4, counters->repeated);
    lichen_store_u32(p + 8, counters->damaged);
    lichen_store_u32(p + 12, counters->oversized);
    reply->bytes = p;
    reply->count = 16;
    return LICHEN_OK;
}

/* `range` is the request's u32 offset, u16 count. */
static inline uint8_t lichen_device_read(const void *memory, size_t bytes, const uint8_t *range, lichen_span *reply)
{
    const uint32_t offset = lichen_load_u32(range);
    const uint16_t count = lichen_load_u16(range + 4);
    if (count > LICHEN_MAX_PAYLOAD || offset > bytes || count > bytes - offset) return LICHEN_BAD_RANGE;
    reply->bytes = (const uint8_t *)memory + offset;
    reply->count = count;
    return LICHEN_OK;
}

static inline uint8_t lichen_device_read_output(const lichen_device *self, const lichen_request *request, lichen_span *reply)
{
    if (request->count != 7) return LICHEN_BAD_LENGTH;
    const uint8_t index = request->payload[0];
    if (index >= MODEL_OUTPUTS) return LICHEN_BAD_INDEX;
    if (!self->inferred) return LICHEN_NOT_READY;
    return lichen_device_read(model_output(&self->model, index), model_output_bytes(index), request->payload + 1, reply);
}

/* Where input `index` lies; from MODEL_INPUTS on they are those of `learn`, which share the arena with the others. */
static inline void *lichen_device_input(lichen_device *self, unsigned index, size_t *bytes)
{
#ifdef MODEL_LEARN_INPUTS
    if (index >= MODEL_INPUTS) {
        *bytes = model_learn_input_bytes(index - MODEL_INPUTS);
        return model_learn_input(&self->model, index - MODEL_INPUTS);
    }
#endif
    *bytes = model_input_bytes(index);
    return model_input(&self->model, index);
}

/* Inputs of one function make those of the other unwritten. */
static inline void lichen_device_forget_others(lichen_device *self, unsigned index)
{
    for (unsigned i = 0; i < LICHEN_ALL_INPUTS; i++) {
        if ((i < MODEL_INPUTS) != (index < MODEL_INPUTS)) self->written[i] = 0;
    }
}

static inline uint8_t lichen_device_write_input(lichen_device *self, const lichen_request *request)
{
    const size_t fixed = 5;
    if (request->count <= fixed) return LICHEN_BAD_LENGTH;
    const uint8_t index = request->payload[0];
    if (index >= LICHEN_ALL_INPUTS) return LICHEN_BAD_INDEX;
    const uint32_t offset = lichen_load_u32(request->payload + 1);
    const size_t count = request->count - fixed;
    size_t bytes;
    void *const input = lichen_device_input(self, index, &bytes);
    if (input == NULL) return LICHEN_NOT_READY; /* comes by rows, while an inference waits for them */
    if (offset != 0 && offset != self->written[index]) return LICHEN_BAD_RANGE;
    if (count > bytes - (size_t)offset) return LICHEN_BAD_RANGE;
    lichen_device_forget_others(self, index);
    memcpy((uint8_t *)input + offset, request->payload + fixed, count);
    self->written[index] = (size_t)offset + count;
    self->inferred = false;
    return LICHEN_OK;
}

/* Whether the inference has come to its end. Apart from the rest so that the stack of an inference does not carry the locals of the link. */
#if defined(__GNUC__)
__attribute__((noinline))
#endif
static bool lichen_device_run(lichen_device *self)
{
#ifdef MODEL_ROW_INPUTS
    const lichen_row_source source = {self, lichen_mark_row};
    self->rows.ended = false;
    lichen_mark_begin();
    model_infer(&self->model, &source);
    lichen_mark_end();
    lichen_device_forget_tensors(self);
#if MODEL_INFER_CHANGES_STATE
    if (self->rows.ended) self->state.torn = true;
#endif
    return !self->rows.ended;
#else
    lichen_mark_begin();
    model_infer(&self->model);
    lichen_mark_end();
    lichen_device_forget_tensors(self);
    return true;
#endif
}

/* What keeps the function that takes inputs `first` to `end` from running. */
static inline uint8_t lichen_device_ready(lichen_device *self, unsigned first, unsigned end)
{
    for (unsigned i = first; i < end; i++) {
        size_t bytes;
        if (lichen_device_input(self, i, &bytes) == NULL) continue; /* comes by rows */
        if (self->written[i] != bytes) return LICHEN_NOT_READY;
    }
#ifdef MODEL_CODED
    if (self->damaged) return LICHEN_DAMAGED_WEIGHTS;
#endif
#if MODEL_STATE_BYTES > 0
    if (self->state.torn) return LICHEN_STATE_TORN;
#endif
    return LICHEN_OK;
}

static inline uint8_t lichen_device_infer(lichen_device *self, const lichen_request *request)
{
    if (request->count != 0) return LICHEN_BAD_LENGTH;
    const uint8_t ready = lichen_device_ready(self, 0, MODEL_INPUTS);
    if (ready != LICHEN_OK) return ready;
    self->inferred = lichen_device_run(self);
    return LICHEN_OK;
}

#ifdef MODEL_LEARN_INPUTS
#if defined(__GNUC__)
__attribute__((noinline))
#endif
static uint8_t lichen_device_learn(lichen_device *self, const lichen_request *request)
{
    const unsigned first = request->count == 0 ? MODEL_INPUTS : LICHEN_ALL_INPUTS; /* samples in the request are whole */
    uint8_t status = lichen_device_ready(self, first, LICHEN_ALL_INPUTS);
    if (status != LICHEN_OK) return status;
    if (request->count % lichen_device_sample_bytes() != 0) return LICHEN_BAD_LENGTH;
    lichen_mark_begin();
    status = request->count == 0 ? lichen_device_lesson(&self->lessons, &self->model)
                                 : lichen_device_learn_samples(&self->lessons, &self->model, request->payload, request->count);
    lichen_mark_end();
    lichen_device_forget_tensors(self);
    return status;
}
#endif

static inline uint8_t lichen_device_reset(lichen_device *self, const lichen_request *request)
{
    if (request->count != 0) return LICHEN_BAD_LENGTH;
    lichen_device_renew(self);
    return LICHEN_OK;
}

#ifdef LICHEN_VALIDATE
static inline uint8_t lichen_device_run_until(lichen_device *self, const lichen_request *request)
{
    if (request->count != 2) return LICHEN_BAD_LENGTH;
    const uint8_t ready = lichen_device_ready(self, 0, MODEL_INPUTS);
    if (ready != LICHEN_OK) return ready;
    lichen_stop = lichen_load_u16(request->payload);
    (void)lichen_device_run(self);
    lichen_stop = LICHEN_STOP_NEVER;
    return LICHEN_OK;
}

static inline uint8_t lichen_device_read_arena(const lichen_device *self, const lichen_request *request, lichen_span *reply)
{
    if (request->count != 6) return LICHEN_BAD_LENGTH;
    return lichen_device_read(&self->model.arena, MODEL_ARENA_BYTES, request->payload, reply);
}
#endif

static inline uint8_t lichen_device_perform(lichen_device *self, const lichen_request *request, lichen_span *reply)
{
    switch (request->operation) {
    case LICHEN_INFO: return lichen_device_info(self, request, reply);
    case LICHEN_TENSORS: return lichen_device_tensors(request, reply);
    case LICHEN_READ_OUTPUT: return lichen_device_read_output(self, request, reply);
    case LICHEN_STACK: return lichen_device_stack(request, reply);
    case LICHEN_COUNTERS: return lichen_device_counters(self, request, reply);
    case LICHEN_WRITE_INPUT: return lichen_device_write_input(self, request);
    case LICHEN_INFER: return lichen_device_infer(self, request);
#ifdef MODEL_LEARN_INPUTS
    case LICHEN_BEGIN: return lichen_device_begin(&self->lessons, &self->model, request);
    case LICHEN_LEARN: return lichen_device_learn(self, request);
    case LICHEN_LESSONS: return lichen_device_read_lessons(&self->lessons, request, reply);
#endif
    case LICHEN_RESET: return lichen_device_reset(self, request);
#ifdef MODEL_ROW_INPUTS
    case LICHEN_ROWS: return lichen_device_row_bytes(request, reply);
    case LICHEN_WANTED: return lichen_device_wanted(&self->rows, request, reply);
#endif
#if MODEL_STATE_BYTES > 0
    case LICHEN_READ_STATE: return lichen_device_read_state(&self->state, &self->model, request, reply);
    case LICHEN_CHECK_STATE:
    case LICHEN_WRITE_STATE: return lichen_device_take_state(&self->state, &self->model, request);
#ifdef LICHEN_STORAGE
    case LICHEN_SAVE: return lichen_device_save(&self->state, &self->model, request);
    case LICHEN_LOAD: return lichen_device_load(&self->state, &self->model, request);
#endif
#endif
#ifdef LICHEN_VALIDATE
    case LICHEN_RUN_UNTIL: return lichen_device_run_until(self, request);
    case LICHEN_READ_ARENA: return lichen_device_read_arena(self, request, reply);
#endif
    default: return LICHEN_UNKNOWN_OPERATION;
    }
}

#ifdef MODEL_ROW_INPUTS
/* What the host may ask for while an inference waits for a row; all else has to wait, too, but for what ends the inference. */
static inline uint8_t lichen_device_while_waiting(lichen_device *self, const lichen_request *request, lichen_span *reply)
{
    switch (request->operation) {
    case LICHEN_WRITE_INPUT: return lichen_device_take_row(&self->rows, request);
    case LICHEN_TENSORS:
    case LICHEN_STACK:
    case LICHEN_COUNTERS:
    case LICHEN_ROWS:
#ifdef LICHEN_VALIDATE
    case LICHEN_READ_ARENA:
#endif
    case LICHEN_WANTED: return lichen_device_perform(self, request, reply);
    case LICHEN_INFO:
    case LICHEN_RESET: self->rows.ended = request->count == 0; return LICHEN_BAD_LENGTH;
    default: return LICHEN_NOT_READY;
    }
}

/* The row that an inference needs, from the link. False where the host has begun anew. */
static inline bool lichen_device_next_row(lichen_device *self, unsigned input, unsigned row, void *destination)
{
    lichen_device_rows *const rows = &self->rows;
    rows->destination = (uint8_t *)destination;
    rows->input = input;
    rows->left = model_input_row_bytes(input);
    rows->offset = (uint32_t)row * (uint32_t)rows->left;
    rows->waiting = true;
    lichen_link_answer(&self->link, LICHEN_OK, NULL, 0); /* the request that the inference went on with */
    for (;;) {
        if (!lichen_link_feed(&self->link, (uint8_t)port_read(), &rows->request)) continue;
        lichen_span reply = {NULL, 0};
        const uint8_t status = lichen_device_while_waiting(self, &rows->request, &reply);
        if (rows->left == 0 || rows->ended) break;
        lichen_link_answer(&self->link, status, reply.bytes, reply.count);
    }
    rows->waiting = false;
    return !rows->ended;
}
#endif

/* Takes a byte from the wire and answers when it completes a request. */
static inline void lichen_device_feed(lichen_device *self, uint8_t byte)
{
    lichen_request request;
    if (!lichen_link_feed(&self->link, byte, &request)) return;
    lichen_span reply = {NULL, 0};
    uint8_t status = lichen_device_perform(self, &request, &reply);
#ifdef MODEL_ROW_INPUTS
    if (self->rows.ended) { /* the inference, by a request that is in its place now */
        self->rows.ended = false;
        status = lichen_device_perform(self, &self->rows.request, &reply);
    }
#endif
    lichen_link_answer(&self->link, status, reply.bytes, reply.count);
}

#endif
