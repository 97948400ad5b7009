/* A model for tests of the link, in the form of generated ones and named as the toolchain's model.h names them.

   Inputs: x, 600 bytes; k, 3 bytes. Outputs: y = ((x + k[0]) * k[1]) ^ k[2], modulo 256 and in the place of x; n, the number of
   inferences since model_init, little endian. Three kernel calls, with TOY_EXTRA in the first.

   With TOY_ROWS x comes by 15 rows of 40 bytes, which the first kernel call reads. */
#ifndef TOY_MODEL_H
#define TOY_MODEL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifndef LICHEN_MARK
#define LICHEN_MARK(index) ((void)0)
#endif

#ifndef TOY_EXTRA
#define TOY_EXTRA ((void)0)
#endif

#define MODEL_NAME "toy"
#define MODEL_DIGEST UINT64_C(0x0123456789abcdef)
#define MODEL_INPUTS 2
#define MODEL_OUTPUTS 2
#define TOY_X 600
#define TOY_K 3
#define TOY_N 4
#define MODEL_ARENA_BYTES (TOY_X + TOY_K + TOY_N)

#ifdef TOY_ROWS
#include "lichen_row_source.h"
#define MODEL_ROW_INPUTS 1
#define MODEL_INFER_CHANGES_STATE 0
#define TOY_ROW 40
#define TOY_PARAMETERS model_t *self, const lichen_row_source *source
#else
#define TOY_PARAMETERS model_t *self
#endif

typedef struct {
    uint8_t arena[MODEL_ARENA_BYTES];
    uint32_t inferences;
} model_t;

static inline void model_init(model_t *self)
{
    memset(self, 0, sizeof *self);
}

static inline void model_infer(TOY_PARAMETERS)
{
    uint8_t *const x = self->arena, *const k = self->arena + TOY_X, *const n = k + TOY_K;
    self->inferences++;
    for (unsigned i = 0; i < TOY_N; i++) n[i] = (uint8_t)(self->inferences >> (8 * i) & 0xFFu);
    LICHEN_MARK(0);
    TOY_EXTRA;
#ifdef TOY_ROWS
    for (unsigned row = 0; row < TOY_X / TOY_ROW; row++) {
        if (!source->read(source->context, 0, row, x + row * TOY_ROW)) return;
    }
#endif
    for (unsigned i = 0; i < TOY_X; i++) x[i] = (uint8_t)(x[i] + k[0]);
    LICHEN_MARK(1);
    for (unsigned i = 0; i < TOY_X; i++) x[i] = (uint8_t)(x[i] * k[1]);
    LICHEN_MARK(2);
    for (unsigned i = 0; i < TOY_X; i++) x[i] = (uint8_t)(x[i] ^ k[2]);
    LICHEN_MARK(3);
}

static inline void *model_input(model_t *self, unsigned index)
{
#ifdef TOY_ROWS
    if (index == 0) return NULL;
#endif
    return self->arena + (index == 0 ? 0 : TOY_X);
}

static inline const void *model_output(const model_t *self, unsigned index)
{
    return self->arena + (index == 0 ? 0 : TOY_X + TOY_K);
}

static inline size_t model_input_bytes(unsigned index)
{
    return index == 0 ? TOY_X : TOY_K;
}

#ifdef TOY_ROWS
static inline size_t model_input_row_bytes(unsigned index)
{
    return index == 0 ? TOY_ROW : 0;
}
#endif

static inline size_t model_output_bytes(unsigned index)
{
    return index == 0 ? TOY_X : TOY_N;
}

#endif
