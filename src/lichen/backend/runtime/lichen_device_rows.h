/* The device's side of inputs that come by rows; part of lichen_device.h.

   How it works inside: there is no room for such an input, so an inference begins without it and, where it needs a row, serves the
   link itself until the row has come (lichen_device_next_row). The request that the inference goes on with, INFER at first and then
   the last piece of each row, is answered when the next row is needed or the inference has ended. So the host sends only while the
   device listens. A host that begins anew ends the inference. */
#ifndef LICHEN_DEVICE_ROWS_H
#define LICHEN_DEVICE_ROWS_H

#include <string.h>

#include "lichen_bytes.h"
#include "lichen_link.h"
#include "model.h"

typedef struct {
    bool waiting;           /* an inference waits for a row */
    bool ended;             /* the inference was ended by `request`, which is still to be carried out */
    lichen_request request; /* the last that came while it waited */
    uint8_t *destination;   /* of the next byte of the row */
    unsigned input;
    uint32_t offset;        /* of the next byte in the input */
    size_t left;            /* bytes of the row that are still to come */
} lichen_device_rows;

static inline void lichen_device_rows_renew(lichen_device_rows *self)
{
    self->waiting = self->ended = false;
}

/* The bytes of a row of each input from number `first` on; as many as fit. */
static inline uint8_t lichen_device_row_bytes(const lichen_request *request, lichen_span *reply)
{
    uint8_t *p = request->payload;
    size_t count = 0;
    if (request->count != 1) return LICHEN_BAD_LENGTH;
    if (p[0] >= MODEL_INPUTS) return LICHEN_BAD_INDEX;
    for (unsigned i = p[0]; i < MODEL_INPUTS && count + 4 <= LICHEN_MAX_PAYLOAD; i++, count += 4) {
        lichen_store_u32(p + count, (uint32_t)model_input_row_bytes(i));
    }
    reply->bytes = p;
    reply->count = count;
    return LICHEN_OK;
}

/* What the inference waits for. */
static inline uint8_t lichen_device_wanted(const lichen_device_rows *self, const lichen_request *request, lichen_span *reply)
{
    if (request->count != 0) return LICHEN_BAD_LENGTH;
    if (!self->waiting) return LICHEN_OK;
    request->payload[0] = (uint8_t)self->input;
    lichen_store_u32(request->payload + 1, self->offset);
    reply->bytes = request->payload;
    reply->count = 5;
    return LICHEN_OK;
}

/* A piece of the row. */
static inline uint8_t lichen_device_take_row(lichen_device_rows *self, const lichen_request *request)
{
    const size_t fixed = 5;
    if (request->count <= fixed) return LICHEN_BAD_LENGTH;
    const uint8_t index = request->payload[0];
    const size_t count = request->count - fixed;
    if (index >= MODEL_INPUTS) return LICHEN_BAD_INDEX;
    if (!self->waiting || index != self->input) return LICHEN_NOT_READY;
    if (lichen_load_u32(request->payload + 1) != self->offset || count > self->left) return LICHEN_BAD_RANGE;
    memcpy(self->destination, request->payload + fixed, count);
    self->destination += count;
    self->offset += (uint32_t)count;
    self->left -= count;
    return LICHEN_OK;
}

#endif
