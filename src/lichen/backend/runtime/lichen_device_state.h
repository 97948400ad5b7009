/* The device's answers to what the host asks of a model's state; part of lichen_device.h.

   How writing works inside: there is no memory for a second copy of the state, so the host sends a blob twice. The first
   time (CHECK_STATE) only its CRC is computed and its header looked at, so that a blob which is damaged or not this
   model's is refused while the state is still as it was. The second time (WRITE_STATE) the bytes go where they belong. If
   the host falls silent in the middle of that, or sends something else than it had checked, the state is torn: the device
   then refuses to infer, to read and to save it until one is written whole or loaded, or the model is reset. */
#ifndef LICHEN_DEVICE_STATE_H
#define LICHEN_DEVICE_STATE_H

#include <string.h>

#include "lichen_link.h"
#include "lichen_state.h"
#include "model.h"

#ifdef LICHEN_STORAGE
#include "port_storage.h"
#define LICHEN_STATE_FEATURES (LICHEN_FEATURE_STATE | LICHEN_FEATURE_STORAGE)
#else
#define LICHEN_STATE_FEATURES LICHEN_FEATURE_STATE
#endif

#define LICHEN_STATE_BLOB_BYTES (MODEL_STATE_BYTES + LICHEN_STATE_OVERHEAD)

typedef struct {
    lichen_state_check incoming; /* the blob that comes in pieces */
    uint8_t operation;           /* with which it comes; 0 while none does */
    bool checked;                /* the last blob that came with CHECK_STATE was whole and this model's */
    bool torn;
} lichen_device_state;

static inline lichen_state_owner lichen_device_owner(void)
{
    const lichen_state_owner owner = {MODEL_DIGEST, MODEL_STATE_BYTES};
    return owner;
}

/* The state is whole, whatever happened before. */
static inline void lichen_device_state_renew(lichen_device_state *self)
{
    self->operation = 0;
    self->checked = false;
    self->torn = false;
}

/* The link's statuses for what can be wrong with a blob are in the order of lichen_state_status. */
static inline uint8_t lichen_device_state_status(lichen_state_status status)
{
    return status == LICHEN_STATE_OK ? (uint8_t)LICHEN_OK
                                     : (uint8_t)(LICHEN_NOTHING_SAVED - LICHEN_STATE_NOTHING_SAVED + (int)status);
}

static inline uint8_t lichen_device_read_state(
    const lichen_device_state *self, const model_t *model, const lichen_request *request, lichen_span *reply)
{
    if (request->count != 6) return LICHEN_BAD_LENGTH;
    const uint32_t offset = lichen_load_u32(request->payload);
    const uint16_t count = lichen_load_u16(request->payload + 4);
    if (count > LICHEN_MAX_PAYLOAD || offset > LICHEN_STATE_BLOB_BYTES) return LICHEN_BAD_RANGE;
    if (count > LICHEN_STATE_BLOB_BYTES - offset) return LICHEN_BAD_RANGE;
    if (self->torn) return LICHEN_STATE_TORN;
    lichen_state_blob(lichen_device_owner(), &model->state, (size_t)offset, request->payload, count);
    reply->bytes = request->payload;
    reply->count = count;
    return LICHEN_OK;
}

/* Copies what of blob bytes [offset, offset + count) is state to its place. */
static inline void lichen_device_place_state(model_t *model, size_t offset, const uint8_t *piece, size_t count)
{
    const size_t begin = LICHEN_STATE_HEADER_BYTES, end = LICHEN_STATE_HEADER_BYTES + MODEL_STATE_BYTES;
    const size_t from = offset < begin ? begin : offset;
    const size_t to = offset + count > end ? end : offset + count;
    if (from < to) memcpy((uint8_t *)&model->state + (from - begin), piece + (from - offset), to - from);
}

/* CHECK_STATE and WRITE_STATE: a piece of a blob. */
static inline uint8_t lichen_device_take_state(lichen_device_state *self, model_t *model, const lichen_request *request)
{
    const size_t fixed = 4;
    const bool writes = request->operation == LICHEN_WRITE_STATE;
    if (request->count <= fixed) return LICHEN_BAD_LENGTH;
    const uint32_t offset = lichen_load_u32(request->payload);
    const uint8_t *const piece = request->payload + fixed;
    const size_t count = request->count - fixed;
    lichen_state_check incoming = self->incoming;
    if (offset == 0) {
        if (count < LICHEN_STATE_HEADER_BYTES) return LICHEN_BAD_LENGTH;
        if (writes && !self->checked) return LICHEN_NOT_READY;
        incoming = lichen_state_begin(lichen_device_owner(), piece);
        if (incoming.total == 0 || (writes && incoming.verdict != LICHEN_STATE_OK)) {
            return lichen_device_state_status(incoming.verdict);
        }
    } else if (request->operation != self->operation || offset != incoming.count) {
        return LICHEN_BAD_RANGE;
    }
    if (count > incoming.total - incoming.count) return LICHEN_BAD_RANGE;

    lichen_state_take(&incoming, piece, count);
    const bool last = incoming.count == incoming.total;
    const lichen_state_status status = last ? lichen_state_end(&incoming) : LICHEN_STATE_OK;
    self->incoming = incoming;
    self->operation = last ? 0 : request->operation;
    self->checked = !writes && last && status == LICHEN_STATE_OK;
    if (status == LICHEN_STATE_OK && writes) {
        lichen_device_place_state(model, (size_t)offset, piece, count);
        self->torn = !last;
    }
    return lichen_device_state_status(status);
}

#ifdef LICHEN_STORAGE
static inline uint8_t lichen_device_save(
    const lichen_device_state *self, const model_t *model, const lichen_request *request)
{
    if (request->count != 0) return LICHEN_BAD_LENGTH;
    if (self->torn) return LICHEN_STATE_TORN;
    const lichen_storage storage = port_storage();
    return lichen_device_state_status(model_save(model, &storage));
}

static inline uint8_t lichen_device_load(lichen_device_state *self, model_t *model, const lichen_request *request)
{
    if (request->count != 0) return LICHEN_BAD_LENGTH;
    const lichen_storage storage = port_storage();
    const lichen_state_status status = model_load(model, &storage);
    if (status == LICHEN_STATE_OK || status == LICHEN_STATE_STORAGE_FAILED) lichen_device_state_renew(self);
    return lichen_device_state_status(status);
}
#endif

#endif
