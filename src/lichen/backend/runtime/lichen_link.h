/* The device's end of the link: frames in, frames out.

   A frame is COBS(header, payload, CRC-32 of both) and a zero. What arrives is decoded into one buffer; a frame that is
   too long, cut short or fails its CRC is counted and otherwise as if it had never come. What is sent goes from where it
   lies straight to the wire. */
#ifndef LICHEN_LINK_H
#define LICHEN_LINK_H

#include "lichen_bytes.h"
#include "lichen_cobs.h"
#include "lichen_crc32.h"
#include "lichen_protocol.h"

typedef struct {
    uint32_t requests; /* whole frames, repetitions included */
    uint32_t repeated; /* requests that were answered again and not applied again */
    uint32_t damaged;
    uint32_t oversized;
} lichen_link_counters;

typedef struct {
    uint8_t frame[LICHEN_HEADER_BYTES + LICHEN_MAX_PAYLOAD + LICHEN_CRC_BYTES];
    lichen_cobs_decoder decoder;
    lichen_sink sink;
    lichen_link_counters counters;
    bool connected;        /* INFO has been answered since the reset */
    uint8_t last_sequence; /* of the last answer, once connected */
    uint8_t last_status;
} lichen_link;

/* A request; the payload lies in the link's buffer, which is the receiver's to use until it has answered. */
typedef struct {
    uint8_t operation;
    uint8_t *payload;
    size_t count;
} lichen_request;

/* The link must not move in memory afterwards: its decoder points to its buffer. */
static inline void lichen_link_init(lichen_link *self, lichen_sink sink)
{
    self->decoder.bytes = self->frame;
    self->decoder.capacity = sizeof self->frame;
    lichen_cobs_restart(&self->decoder);
    self->sink = sink;
    self->counters.requests = self->counters.repeated = self->counters.damaged = self->counters.oversized = 0;
    self->connected = false;
    self->last_sequence = self->last_status = 0;
}

/* Answers the request whose header is still in the buffer and remembers the answer's status. */
static inline void lichen_link_answer(lichen_link *self, uint8_t status, const uint8_t *payload, size_t count)
{
    const uint8_t header[LICHEN_HEADER_BYTES] = {self->frame[0], status};
    uint8_t crc[LICHEN_CRC_BYTES];
    lichen_store_u32(crc, lichen_crc32(lichen_crc32(LICHEN_CRC32_START, header, sizeof header), payload, count));
    const lichen_span spans[] = {{header, sizeof header}, {payload, count}, {crc, sizeof crc}};
    self->last_sequence = header[0];
    self->last_status = status;
    lichen_cobs_send(spans, sizeof spans / sizeof spans[0], self->sink);
}

/* Whether the decoded frame is one that a host has sent. */
static inline bool lichen_link_intact(const lichen_link *self)
{
    const size_t length = self->decoder.length;
    if (length < LICHEN_HEADER_BYTES + LICHEN_CRC_BYTES) return false;
    const size_t covered = length - LICHEN_CRC_BYTES;
    return lichen_crc32(LICHEN_CRC32_START, self->frame, covered) == lichen_load_u32(self->frame + covered);
}

/* Whether the link could answer by itself: before the first INFO, and when a change is asked for again. */
static inline bool lichen_link_settle(lichen_link *self, uint8_t sequence, uint8_t operation)
{
    if (!self->connected) {
        if (operation == LICHEN_INFO) return false;
        lichen_link_answer(self, LICHEN_NOT_CONNECTED, NULL, 0);
        return true;
    }
    if (sequence != self->last_sequence) return false;
    self->counters.repeated++;
    if (!(operation & LICHEN_CHANGES)) return false;
    lichen_link_answer(self, self->last_status, NULL, 0);
    return true;
}

/* Takes a byte from the wire. True when `request` has become one that has to be carried out and answered. */
static inline bool lichen_link_feed(lichen_link *self, uint8_t byte, lichen_request *request)
{
    const lichen_cobs_event event = lichen_cobs_feed(&self->decoder, byte);
    if (event == LICHEN_COBS_MORE) return false;
    const size_t length = self->decoder.length;
    const bool intact = event == LICHEN_COBS_FRAME && lichen_link_intact(self);
    lichen_cobs_restart(&self->decoder);
    if (!intact) {
        if (event == LICHEN_COBS_OVERSIZED) self->counters.oversized++;
        if (event == LICHEN_COBS_FRAME || event == LICHEN_COBS_DAMAGED) self->counters.damaged++;
        return false;
    }
    self->counters.requests++;
    if (lichen_link_settle(self, self->frame[0], self->frame[1])) return false;
    request->operation = self->frame[1];
    request->payload = self->frame + LICHEN_HEADER_BYTES;
    request->count = length - LICHEN_HEADER_BYTES - LICHEN_CRC_BYTES;
    return true;
}

#endif
