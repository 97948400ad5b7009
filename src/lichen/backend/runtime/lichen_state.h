/* A model's state as a blob of bytes, and its way into storage and back; lichen/backend/state.py is the twin of this file.

   offset      what, little endian
   0           u32 magic, "LSTA"
   4           u32 version of this layout
   8           u64 digest of the model
   16          u32 n, the bytes of state
   20          u32 sequence: the number of the save; 0 in a blob that was never in storage
   24          n bytes of state, as they lie in memory
   24 + n      u32 CRC-32 of all before

   How saving works: of two slots one holds the newest blob that is whole. A save erases the other, writes the blob with
   the next sequence number there, its CRC last, and reads it back. Until the last byte of the CRC is written the slot is
   not whole and the old blob is the newest; from then on the new one is. So a power cut at any moment leaves one or the
   other. Nothing is copied: state goes from memory to storage and back. */
#ifndef LICHEN_STATE_H
#define LICHEN_STATE_H

#include "lichen_bytes.h"
#include "lichen_crc32.h"
#include "lichen_storage.h"

#define LICHEN_STATE_MAGIC UINT32_C(0x4154534C)
#define LICHEN_STATE_VERSION 1
#define LICHEN_STATE_HEADER_BYTES 24
#define LICHEN_STATE_CRC_BYTES 4
#define LICHEN_STATE_OVERHEAD (LICHEN_STATE_HEADER_BYTES + LICHEN_STATE_CRC_BYTES)

/* Whose state, and how much of it. */
typedef struct {
    uint64_t digest;
    size_t bytes;
} lichen_state_owner;

static inline void lichen_state_header(lichen_state_owner owner, uint32_t sequence, uint8_t *header)
{
    lichen_store_u32(header, LICHEN_STATE_MAGIC);
    lichen_store_u32(header + 4, LICHEN_STATE_VERSION);
    lichen_store_u64(header + 8, owner.digest);
    lichen_store_u32(header + 16, (uint32_t)owner.bytes);
    lichen_store_u32(header + 20, sequence);
}

/* Checking a blob that comes in pieces */

typedef struct {
    uint32_t crc;
    uint32_t count; /* bytes that have come */
    uint32_t total; /* bytes the blob has, by its header */
    uint32_t sequence;
    lichen_state_status verdict; /* what its header alone would have it be */
} lichen_state_check;

/* Begins with the header, whose bytes are still to be passed to lichen_state_take. When `total` is 0 it is no header. */
static inline lichen_state_check lichen_state_begin(lichen_state_owner owner, const uint8_t *header)
{
    const uint32_t bytes = lichen_load_u32(header + 16);
    lichen_state_check check = {LICHEN_CRC32_START, 0, 0, lichen_load_u32(header + 20), LICHEN_STATE_DAMAGED};
    if (lichen_load_u32(header) != LICHEN_STATE_MAGIC || bytes > UINT32_MAX - LICHEN_STATE_OVERHEAD) return check;
    if (lichen_load_u32(header + 4) != LICHEN_STATE_VERSION) {
        check.verdict = LICHEN_STATE_OTHER_VERSION;
        return check;
    }
    check.total = bytes + LICHEN_STATE_OVERHEAD;
    check.verdict = lichen_load_u64(header + 8) != owner.digest ? LICHEN_STATE_OTHER_MODEL
                    : bytes != owner.bytes                      ? LICHEN_STATE_WRONG_LENGTH
                                                                : LICHEN_STATE_OK;
    return check;
}

static inline void lichen_state_take(lichen_state_check *check, const uint8_t *bytes, size_t count)
{
    check->crc = lichen_crc32(check->crc, bytes, count);
    check->count += (uint32_t)count;
}

/* After the last byte. That a blob is damaged goes before what it says of itself. */
static inline lichen_state_status lichen_state_end(const lichen_state_check *check)
{
    return check->crc == LICHEN_CRC32_RESIDUE ? check->verdict : LICHEN_STATE_DAMAGED;
}

/* Bytes [offset, offset + count) of the blob of `state`, which must not change until the last of them is taken. */
static inline void lichen_state_blob(lichen_state_owner owner, const void *state, size_t offset, uint8_t *out, size_t count)
{
    const uint8_t *const bytes = (const uint8_t *)state;
    const size_t end = LICHEN_STATE_HEADER_BYTES + owner.bytes;
    uint8_t header[LICHEN_STATE_HEADER_BYTES], crc[LICHEN_STATE_CRC_BYTES];
    lichen_state_header(owner, 0, header);
    if (offset + count > end) {
        const uint32_t covered = lichen_crc32(LICHEN_CRC32_START, header, sizeof header);
        lichen_store_u32(crc, lichen_crc32(covered, bytes, owner.bytes));
    }
    for (size_t at = offset; at < offset + count; at++) {
        *out++ = at < sizeof header ? header[at] : at < end ? bytes[at - sizeof header] : crc[at - end];
    }
}

/* Storage */

static inline lichen_state_status lichen_state_check_slot(
    lichen_state_owner owner, const lichen_storage *storage, unsigned slot, uint32_t *sequence)
{
    uint8_t piece[LICHEN_STATE_HEADER_BYTES];
    if (!storage->read(storage->context, slot, 0, piece, sizeof piece)) return LICHEN_STATE_NOTHING_SAVED;
    if (lichen_load_u32(piece) != LICHEN_STATE_MAGIC) return LICHEN_STATE_NOTHING_SAVED;
    lichen_state_check check = lichen_state_begin(owner, piece);
    if (check.total == 0) return check.verdict;
    if (check.total > storage->slot_bytes) return LICHEN_STATE_DAMAGED;
    *sequence = check.sequence;
    lichen_state_take(&check, piece, sizeof piece);
    while (check.count < check.total) {
        const uint32_t left = check.total - check.count;
        const size_t count = left < sizeof piece ? (size_t)left : sizeof piece;
        if (!storage->read(storage->context, slot, (size_t)check.count, piece, count)) return LICHEN_STATE_DAMAGED;
        lichen_state_take(&check, piece, count);
    }
    return lichen_state_end(&check);
}

/* What lies in storage for a model: the newest whole blob of its own if `status` is OK; else the more telling of the
   reasons for which neither slot is one. */
typedef struct {
    lichen_state_status status;
    unsigned slot;
    uint32_t sequence;
} lichen_state_saved;

static inline lichen_state_saved lichen_state_find(lichen_state_owner owner, const lichen_storage *storage)
{
    lichen_state_saved first = {LICHEN_STATE_NOTHING_SAVED, 0, 0}, second = {LICHEN_STATE_NOTHING_SAVED, 1, 0};
    if (storage->slot_bytes < LICHEN_STATE_OVERHEAD) return first;
    first.status = lichen_state_check_slot(owner, storage, first.slot, &first.sequence);
    second.status = lichen_state_check_slot(owner, storage, second.slot, &second.sequence);
    if (first.status == LICHEN_STATE_OK && second.status == LICHEN_STATE_OK) {
        /* Consecutive numbers, which may have passed zero between. */
        return second.sequence - first.sequence < UINT32_C(0x80000000) ? second : first;
    }
    if (first.status == LICHEN_STATE_OK || second.status == LICHEN_STATE_OK) {
        return first.status == LICHEN_STATE_OK ? first : second;
    }
    return second.status > first.status ? second : first;
}

static inline lichen_state_status lichen_state_save(
    lichen_state_owner owner, const void *state, const lichen_storage *storage)
{
    if (storage->slot_bytes < LICHEN_STATE_OVERHEAD) return LICHEN_STATE_TOO_LARGE;
    if (storage->slot_bytes - LICHEN_STATE_OVERHEAD < owner.bytes) return LICHEN_STATE_TOO_LARGE;
    const lichen_state_saved saved = lichen_state_find(owner, storage);
    const bool first_of_all = saved.status != LICHEN_STATE_OK;
    const unsigned slot = first_of_all ? 0 : 1u - saved.slot;
    const uint32_t sequence = first_of_all ? 1 : saved.sequence + 1u;

    uint8_t header[LICHEN_STATE_HEADER_BYTES], crc[LICHEN_STATE_CRC_BYTES];
    const uint8_t *const bytes = (const uint8_t *)state;
    const size_t end = sizeof header + owner.bytes;
    lichen_state_header(owner, sequence, header);
    const uint32_t covered = lichen_crc32(LICHEN_CRC32_START, header, sizeof header);
    lichen_store_u32(crc, lichen_crc32(covered, bytes, owner.bytes));

    uint32_t found = sequence - 1u;
    const bool written = storage->erase(storage->context, slot) &&
                         storage->write(storage->context, slot, 0, header, sizeof header) &&
                         storage->write(storage->context, slot, sizeof header, bytes, owner.bytes) &&
                         storage->write(storage->context, slot, end, crc, sizeof crc) &&
                         lichen_state_check_slot(owner, storage, slot, &found) == LICHEN_STATE_OK;
    return written && found == sequence ? LICHEN_STATE_OK : LICHEN_STATE_STORAGE_FAILED;
}

/* Writes to `state` only what has been found whole before. STORAGE_FAILED: the bytes were others when they were read again,
   and `state` is not to be used. */
static inline lichen_state_status lichen_state_load(lichen_state_owner owner, void *state, const lichen_storage *storage)
{
    const lichen_state_saved saved = lichen_state_find(owner, storage);
    if (saved.status != LICHEN_STATE_OK) return saved.status;
    uint8_t header[LICHEN_STATE_HEADER_BYTES], crc[LICHEN_STATE_CRC_BYTES];
    uint8_t *const bytes = (uint8_t *)state;
    const size_t end = sizeof header + owner.bytes;
    const bool read = storage->read(storage->context, saved.slot, 0, header, sizeof header) &&
                      storage->read(storage->context, saved.slot, sizeof header, bytes, owner.bytes) &&
                      storage->read(storage->context, saved.slot, end, crc, sizeof crc);
    if (!read) return LICHEN_STATE_STORAGE_FAILED;
    const uint32_t covered = lichen_crc32(LICHEN_CRC32_START, header, sizeof header);
    const uint32_t computed = lichen_crc32(covered, bytes, owner.bytes);
    return computed == lichen_load_u32(crc) ? LICHEN_STATE_OK : LICHEN_STATE_STORAGE_FAILED;
}

#endif
