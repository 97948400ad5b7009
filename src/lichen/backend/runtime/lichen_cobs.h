/* Consistent overhead byte stuffing (Cheshire and Baker, IEEE/ACM Transactions on Networking 7(2), 1999).

   How it works: a frame is cut into blocks at its zero bytes. A block is sent as a code, one more than the number of its
   bytes, and these bytes; the zero behind it is left out. Code 255 stands for 254 bytes without a zero behind them. So
   zero never occurs inside an encoded frame and ends it, and a receiver that has lost its place finds it again at the
   next zero. */
#ifndef LICHEN_COBS_H
#define LICHEN_COBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LICHEN_COBS_FULL 0xFFu

/* Decoder: one byte at a time into a buffer of fixed size, which it never writes past. */

typedef enum {
    LICHEN_COBS_MORE,      /* inside a frame */
    LICHEN_COBS_EMPTY,     /* a zero with nothing before it */
    LICHEN_COBS_FRAME,     /* a frame ended: bytes[0 .. length) until the next byte is fed */
    LICHEN_COBS_DAMAGED,   /* a frame ended in the middle of a block */
    LICHEN_COBS_OVERSIZED  /* a frame ended that did not fit in the buffer */
} lichen_cobs_event;

typedef struct {
    uint8_t *bytes;
    size_t capacity;
    size_t length;
    uint8_t code;      /* of the current block; 0 before the first */
    uint8_t remaining; /* bytes of the current block still to come */
    bool oversized;
} lichen_cobs_decoder;

static inline void lichen_cobs_restart(lichen_cobs_decoder *self)
{
    self->length = 0;
    self->code = 0;
    self->remaining = 0;
    self->oversized = false;
}

static inline void lichen_cobs_append(lichen_cobs_decoder *self, uint8_t byte)
{
    if (self->length < self->capacity) {
        self->bytes[self->length++] = byte;
    } else {
        self->oversized = true;
    }
}

/* After every event but MORE the decoder wants lichen_cobs_restart. */
static inline lichen_cobs_event lichen_cobs_feed(lichen_cobs_decoder *self, uint8_t byte)
{
    if (byte == 0) {
        if (self->code == 0) return LICHEN_COBS_EMPTY;
        if (self->oversized) return LICHEN_COBS_OVERSIZED;
        return self->remaining > 0 ? LICHEN_COBS_DAMAGED : LICHEN_COBS_FRAME;
    }
    if (self->remaining > 0) {
        self->remaining--;
        lichen_cobs_append(self, byte);
        return LICHEN_COBS_MORE;
    }
    if (self->code != 0 && self->code != LICHEN_COBS_FULL) lichen_cobs_append(self, 0);
    self->code = byte;
    self->remaining = (uint8_t)(byte - 1u);
    return LICHEN_COBS_MORE;
}

/* Encoder: from several pieces of memory straight to the wire, without a buffer. */

typedef struct {
    const uint8_t *bytes;
    size_t count;
} lichen_span;

typedef struct {
    const lichen_span *span;
    size_t spans;  /* still to come, the current one included */
    size_t offset; /* in the current one */
} lichen_span_reader;

/* The next byte, or -1 after the last. */
static inline int lichen_span_next(lichen_span_reader *self)
{
    while (self->spans > 0 && self->offset == self->span->count) {
        self->span++;
        self->spans--;
        self->offset = 0;
    }
    return self->spans > 0 ? (int)self->span->bytes[self->offset++] : -1;
}

typedef void (*lichen_sink)(uint8_t byte);

/* Sends the concatenation of the spans as one frame, its final zero included. */
static inline void lichen_cobs_send(const lichen_span *spans, size_t count, lichen_sink sink)
{
    lichen_span_reader reader = {spans, count, 0};
    bool more = true; /* a block still follows: at the start, behind a zero, and behind a full block that was not the end */
    while (more) {
        lichen_span_reader ahead = reader;
        int next = lichen_span_next(&ahead);
        uint8_t code = 1;
        while (next > 0) {
            code++;
            next = code < LICHEN_COBS_FULL ? lichen_span_next(&ahead) : 0;
        }
        sink(code);
        for (uint8_t i = 1; i < code; i++) sink((uint8_t)lichen_span_next(&reader));
        if (code == LICHEN_COBS_FULL) {
            more = lichen_span_next(&ahead) >= 0;
        } else {
            more = lichen_span_next(&reader) == 0;
        }
    }
    sink(0);
}

#endif
