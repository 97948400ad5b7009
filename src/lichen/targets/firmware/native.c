/* The model of "model.h" on the host: the shared library behind lichen/targets/native.py, or with -DLICHEN_NATIVE_PROGRAM a program that
   reads samples from its standard input and writes their outputs; that one can be built with sanitizers, which a library loaded into
   Python cannot. A sample is the bytes of all inputs one after the other, its result those of all outputs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"

size_t lichen_native_bytes(void);
int lichen_native_init(model_t *self);
void lichen_native_run(model_t *self, const uint8_t *samples, uint8_t *results, size_t count, int poison);

#if MODEL_STATE_BYTES > 0
#include "lichen_memory_storage.h"
#include "lichen_state.h"

void lichen_native_read_state(const model_t *self, uint8_t *blob);
lichen_state_status lichen_native_write_state(model_t *self, const uint8_t *blob, size_t count);
lichen_state_status lichen_native_save(const model_t *self, uint8_t *slots, size_t slot_bytes, size_t power);
lichen_state_status lichen_native_load(model_t *self, uint8_t *slots, size_t slot_bytes);
#endif

#ifdef MODEL_LEARN_INPUTS
void lichen_native_set_rate(model_t *self, float rate);
size_t lichen_native_learn(model_t *self, const uint8_t *samples, float *losses, uint8_t *statuses, size_t count);
#endif

#ifdef LICHEN_VALIDATE
#include "lichen_stop.h"

uint16_t lichen_stop = LICHEN_STOP_NEVER;

void lichen_native_run_until(model_t *self, const uint8_t *sample, uint8_t *arena, uint16_t stop);
#endif

#ifdef MODEL_ROW_INPUTS
static bool read_row(void *context, unsigned input, unsigned row, void *destination)
{
    const uint8_t *bytes = *(const uint8_t **)context;
    for (unsigned i = 0; i < input; i++) bytes += model_input_bytes(i);
    memcpy(destination, bytes + row * model_input_row_bytes(input), model_input_row_bytes(input));
    return true;
}

static void infer(model_t *self, const uint8_t *sample)
{
    const lichen_row_source source = {&sample, read_row};
    model_infer(self, &source);
}
#else
static void infer(model_t *self, const uint8_t *sample)
{
    (void)sample; /* is in the arena */
    model_infer(self);
}
#endif

/* A poison of 0..255 fills the arena first, so that nothing an inference reads can be left over from the one before. Inputs that come
   by rows are left to `infer`. */
static const uint8_t *write_inputs(model_t *self, const uint8_t *sample, int poison)
{
    if (poison >= 0) memset(&self->arena, poison, sizeof self->arena);
    for (unsigned i = 0; i < MODEL_INPUTS; i++) {
        if (model_input(self, i) != NULL) memcpy(model_input(self, i), sample, model_input_bytes(i));
        sample += model_input_bytes(i);
    }
    return sample;
}

static uint8_t *read_outputs(const model_t *self, uint8_t *result)
{
    for (unsigned i = 0; i < MODEL_OUTPUTS; i++) {
        memcpy(result, model_output(self, i), model_output_bytes(i));
        result += model_output_bytes(i);
    }
    return result;
}

size_t lichen_native_bytes(void)
{
    return sizeof(model_t);
}

/* 0 if the model's coded weights are damaged, else 1. */
int lichen_native_init(model_t *self)
{
#ifdef MODEL_CODED
    return model_init(self);
#else
    model_init(self);
    return 1;
#endif
}

void lichen_native_run(model_t *self, const uint8_t *samples, uint8_t *results, size_t count, int poison)
{
    for (size_t k = 0; k < count; k++) {
        const uint8_t *const sample = samples;
        samples = write_inputs(self, sample, poison);
        infer(self, sample);
        results = read_outputs(self, results);
    }
}

#ifdef MODEL_LEARN_INPUTS
void lichen_native_set_rate(model_t *self, float rate)
{
    *model_learning_rate(self) = rate;
}

/* Learns from samples, each the bytes of all inputs of `learn`, up to the first that is refused; how many it took. */
size_t lichen_native_learn(model_t *self, const uint8_t *samples, float *losses, uint8_t *statuses, size_t count)
{
    for (size_t k = 0; k < count; k++) {
        for (unsigned i = 0; i < MODEL_LEARN_INPUTS; i++) {
            memcpy(model_learn_input(self, i), samples, model_learn_input_bytes(i));
            samples += model_learn_input_bytes(i);
        }
        const lichen_lesson_status status = model_lesson(self);
        statuses[k] = (uint8_t)status;
        if (status >= LICHEN_LESSON_NOT_FINITE) return k;
        memcpy(losses + k, model_learn_output(self, 0), sizeof *losses);
    }
    return count;
}
#endif

#ifdef LICHEN_VALIDATE
/* An inference that stops before kernel call `stop`; copies the arena as it is then. */
void lichen_native_run_until(model_t *self, const uint8_t *sample, uint8_t *arena, uint16_t stop)
{
    write_inputs(self, sample, -1);
    lichen_stop = stop;
    infer(self, sample);
    lichen_stop = LICHEN_STOP_NEVER;
    memcpy(arena, &self->arena, MODEL_ARENA_BYTES);
}
#endif

#if MODEL_STATE_BYTES > 0
static const lichen_state_owner owner = {MODEL_DIGEST, MODEL_STATE_BYTES};

/* Writes the MODEL_STATE_BYTES + LICHEN_STATE_OVERHEAD bytes of the blob. */
void lichen_native_read_state(const model_t *self, uint8_t *blob)
{
    lichen_state_blob(owner, &self->state, 0, blob, MODEL_STATE_BYTES + LICHEN_STATE_OVERHEAD);
}

lichen_state_status lichen_native_write_state(model_t *self, const uint8_t *blob, size_t count)
{
    if (count < LICHEN_STATE_OVERHEAD) return LICHEN_STATE_DAMAGED;
    lichen_state_check check = lichen_state_begin(owner, blob);
    if (check.total == 0) return check.verdict;
    if (check.total != count) return LICHEN_STATE_DAMAGED;
    lichen_state_take(&check, blob, count);
    const lichen_state_status status = lichen_state_end(&check);
    if (status == LICHEN_STATE_OK) memcpy(&self->state, blob + LICHEN_STATE_HEADER_BYTES, MODEL_STATE_BYTES);
    return status;
}

/* `slots` are the two slots of the storage, one after the other; `power` as in lichen_memory_storage.h. */
lichen_state_status lichen_native_save(const model_t *self, uint8_t *slots, size_t slot_bytes, size_t power)
{
    lichen_memory_storage memory = {slots, slot_bytes, power};
    const lichen_storage storage = lichen_memory_as_storage(&memory);
    return model_save(self, &storage);
}

lichen_state_status lichen_native_load(model_t *self, uint8_t *slots, size_t slot_bytes)
{
    lichen_memory_storage memory = {slots, slot_bytes, LICHEN_POWER_STAYS};
    const lichen_storage storage = lichen_memory_as_storage(&memory);
    return model_load(self, &storage);
}
#endif

#ifdef LICHEN_NATIVE_PROGRAM
int main(int count, char **arguments)
{
    const int poison = count > 1 ? atoi(arguments[1]) : -1;
    size_t sample_bytes = 0, result_bytes = 0;
    for (unsigned i = 0; i < MODEL_INPUTS; i++) sample_bytes += model_input_bytes(i);
    for (unsigned i = 0; i < MODEL_OUTPUTS; i++) result_bytes += model_output_bytes(i);
    model_t *model = malloc(sizeof *model); /* on the heap, where a sanitizer sees the first byte written past its end */
    uint8_t *sample = malloc(sample_bytes), *result = malloc(result_bytes);
    if (!model || !sample || !result) return 1;
    if (!lichen_native_init(model)) return 3;
    while (fread(sample, 1, sample_bytes, stdin) == sample_bytes) {
        lichen_native_run(model, sample, result, 1, poison);
        fwrite(result, 1, result_bytes, stdout);
    }
    free(model);
    free(sample);
    free(result);
    return 0;
}
#endif
