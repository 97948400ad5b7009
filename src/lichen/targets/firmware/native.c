/* The model of "model.h" on the host: the shared library behind lichen/targets/native.py, or with -DLICHEN_NATIVE_PROGRAM a program that
   reads samples from its standard input and writes their outputs; that one can be built with sanitizers, which a library loaded into
   Python cannot. A sample is the bytes of all inputs one after the other, its result those of all outputs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"

size_t lichen_native_bytes(void);
void lichen_native_init(model_t *self);
void lichen_native_run(model_t *self, const uint8_t *samples, uint8_t *results, size_t count, int poison);

#ifdef LICHEN_VALIDATE
#include "lichen_stop.h"

uint16_t lichen_stop = LICHEN_STOP_NEVER;

void lichen_native_run_until(model_t *self, const uint8_t *sample, uint8_t *arena, uint16_t stop);
#endif

/* A poison of 0..255 fills the arena first, so that nothing an inference reads can be left over from the one before. */
static const uint8_t *write_inputs(model_t *self, const uint8_t *sample, int poison)
{
    if (poison >= 0) memset(&self->arena, poison, sizeof self->arena);
    for (unsigned i = 0; i < MODEL_INPUTS; i++) {
        memcpy(model_input(self, i), sample, model_input_bytes(i));
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

void lichen_native_init(model_t *self)
{
    model_init(self);
}

void lichen_native_run(model_t *self, const uint8_t *samples, uint8_t *results, size_t count, int poison)
{
    for (size_t k = 0; k < count; k++) {
        samples = write_inputs(self, samples, poison);
        model_infer(self);
        results = read_outputs(self, results);
    }
}

#ifdef LICHEN_VALIDATE
/* An inference that stops before kernel call `stop`; copies the arena as it is then. */
void lichen_native_run_until(model_t *self, const uint8_t *sample, uint8_t *arena, uint16_t stop)
{
    write_inputs(self, sample, -1);
    lichen_stop = stop;
    model_infer(self);
    lichen_stop = LICHEN_STOP_NEVER;
    memcpy(arena, &self->arena, MODEL_ARENA_BYTES);
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
    lichen_native_init(model);
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
