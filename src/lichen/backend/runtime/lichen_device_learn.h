/* The learning side of a device that serves a model with a function `learn`, whose output 0 is the loss. */
#ifndef LICHEN_DEVICE_LEARN_H
#define LICHEN_DEVICE_LEARN_H

#include <string.h>

#include "lichen_bytes.h"
#include "lichen_lesson.h"
#include "lichen_link.h"
#include "model.h"

/* Since BEGIN, or the device's reset. */
typedef struct {
    uint32_t samples; /* taken, with a label or without */
    uint32_t judged;  /* those with a loss */
    float losses;     /* the sum of these */
} lichen_device_lessons;

static inline void lichen_device_lessons_renew(lichen_device_lessons *self)
{
    self->samples = 0;
    self->judged = 0;
    self->losses = 0.0f;
}

static inline size_t lichen_device_sample_bytes(void)
{
    size_t bytes = 0;
    for (unsigned i = 0; i < MODEL_LEARN_INPUTS; i++) bytes += model_learn_input_bytes(i);
    return bytes;
}

/* Learns from the inputs in the arena. */
static inline uint8_t lichen_device_lesson(lichen_device_lessons *self, model_t *model)
{
    const lichen_lesson_status status = model_lesson(model);
    if (status >= LICHEN_LESSON_NOT_FINITE) return (uint8_t)(LICHEN_NOT_FINITE + (status - LICHEN_LESSON_NOT_FINITE));
    self->samples++;
    if (status == LICHEN_LESSON_OK) {
        float loss;
        memcpy(&loss, model_learn_output(model, 0), sizeof loss);
        self->judged++;
        self->losses += loss;
    }
    return LICHEN_OK;
}

/* Learns from `count` bytes of whole samples, one after the other. */
static inline uint8_t lichen_device_learn_samples(lichen_device_lessons *self, model_t *model, const uint8_t *p, size_t count)
{
    while (count > 0) {
        for (unsigned i = 0; i < MODEL_LEARN_INPUTS; i++) {
            const size_t bytes = model_learn_input_bytes(i);
            memcpy(model_learn_input(model, i), p, bytes);
            p += bytes;
            count -= bytes;
        }
        const uint8_t status = lichen_device_lesson(self, model);
        if (status != LICHEN_OK) return status;
    }
    return LICHEN_OK;
}

static inline uint8_t lichen_device_begin(lichen_device_lessons *self, model_t *model, const lichen_request *request)
{
    float rate;
    if (request->count != sizeof rate) return LICHEN_BAD_LENGTH;
    const uint32_t bits = lichen_load_u32(request->payload);
    memcpy(&rate, &bits, sizeof rate);
    if (!(rate - rate == 0.0f) || rate < 0.0f) return LICHEN_BAD_RATE;
    *model_learning_rate(model) = rate;
    lichen_device_lessons_renew(self);
    return LICHEN_OK;
}

static inline uint8_t lichen_device_read_lessons(const lichen_device_lessons *self, const lichen_request *request, lichen_span *reply)
{
    uint32_t bits;
    if (request->count != 0) return LICHEN_BAD_LENGTH;
    memcpy(&bits, &self->losses, sizeof bits);
    lichen_store_u32(request->payload, self->samples);
    lichen_store_u32(request->payload + 4, self->judged);
    lichen_store_u32(request->payload + 8, bits);
    reply->bytes = request->payload;
    reply->count = 12;
    return LICHEN_OK;
}

#endif
