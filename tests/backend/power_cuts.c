/* Lets the power fail at every byte of a save, and again at every byte of the next, from every state the slots can be in; in
   memory like flash, and in memory like EEPROM, where an erase only spoils the beginning and writing goes over what is there. */
#include <stdio.h>
#include <stdlib.h>

#include "lichen_memory_storage.h"
#include "lichen_state.h"
#include "model.h"

enum { OVERHEAD = 28, BLOB = MODEL_STATE_BYTES + OVERHEAD, SLOT = BLOB + 5 };

#define REQUIRE(condition)                                                                                                \
    do {                                                                                                                  \
        if (!(condition)) {                                                                                               \
            fprintf(stderr, "line %d: %s (cuts %zu, %zu)\n", __LINE__, #condition, cuts[0], cuts[1]);                     \
            exit(1);                                                                                                      \
        }                                                                                                                 \
    } while (0)

static size_t cuts[2];

static bool over_write(void *context, unsigned slot, size_t offset, const uint8_t *bytes, size_t count)
{
    lichen_memory_storage *const self = (lichen_memory_storage *)context;
    uint8_t *const to = self->bytes + slot * self->slot_bytes + offset;
    for (size_t i = 0; i < count; i++) {
        const uint8_t changing = lichen_memory_power(self);
        to[i] = (uint8_t)((to[i] & ~changing) | (bytes[i] & changing));
    }
    return self->power > 0;
}

static bool spoil(void *context, unsigned slot)
{
    const uint8_t none = 0xFF;
    return over_write(context, slot, 0, &none, 1);
}

static bool like_eeprom;

/* Bytes that a save erases and writes. */
static size_t cost(void)
{
    return (like_eeprom ? 1 : SLOT) + BLOB;
}

static lichen_storage storage_of(lichen_memory_storage *memory)
{
    lichen_storage storage = lichen_memory_as_storage(memory);
    if (like_eeprom) {
        storage.erase = spoil;
        storage.write = over_write;
    }
    return storage;
}

static model_t with_state(uint8_t seed)
{
    model_t model;
    model_init(&model);
    for (size_t i = 0; i < MODEL_STATE_BYTES; i++) model.state.bytes[i] = (int8_t)(uint8_t)(seed + 37 * i);
    return model;
}

static bool same(const model_t *a, const model_t *b)
{
    return memcmp(a->state.bytes, b->state.bytes, MODEL_STATE_BYTES) == 0;
}

static lichen_state_status save(uint8_t *slots, const model_t *model, size_t power)
{
    lichen_memory_storage memory = {slots, SLOT, power};
    const lichen_storage storage = storage_of(&memory);
    return model_save(model, &storage);
}

static lichen_state_status load(uint8_t *slots, model_t *model)
{
    lichen_memory_storage memory = {slots, SLOT, LICHEN_POWER_STAYS};
    const lichen_storage storage = storage_of(&memory);
    return model_load(model, &storage);
}

/* What is saved in `slots`, or, if nothing is, `otherwise`, which the refused load must leave alone. */
static model_t saved(uint8_t *slots, const model_t *otherwise, bool *any)
{
    model_t model = *otherwise;
    *any = load(slots, &model) == LICHEN_STATE_OK;
    if (!*any) REQUIRE(same(&model, otherwise));
    return model;
}

/* A save of `next` with the power failing after `power` bytes: afterwards the old state is saved or the new one is; and it
   is the old one as long as the save has not reached its end. */
static void cut(uint8_t *slots, const model_t *next, size_t power)
{
    const model_t live = with_state(200);
    bool before, after;
    const model_t old = saved(slots, &live, &before);
    const bool ended = save(slots, next, power) == LICHEN_STATE_OK;
    const model_t now = saved(slots, &live, &after);
    REQUIRE(ended == (power > cost()));
    if (ended) REQUIRE(after && same(&now, next));
    REQUIRE(after || !before);
    REQUIRE(!after || same(&now, next) || (before && same(&now, &old)));
    if (power < cost()) REQUIRE(after == before && same(&now, &old));
}

static void from(const uint8_t *beginning)
{
    const model_t first = with_state(1), second = with_state(2), third = with_state(3);
    uint8_t slots[2 * SLOT], again[2 * SLOT];
    for (cuts[0] = 0; cuts[0] <= cost() + 1; cuts[0]++) {
        memcpy(slots, beginning, sizeof slots);
        cut(slots, &first, cuts[0]);
        for (cuts[1] = 0; cuts[1] <= cost() + 1; cuts[1]++) {
            memcpy(again, slots, sizeof again);
            cut(again, &second, cuts[1]);
            cut(again, &third, LICHEN_POWER_STAYS);
        }
    }
}

/* Ends with the given sequence number in the header of the newest slot: made whole by the functions under test. */
static void with_sequence(uint8_t *slots, uint32_t last)
{
    const model_t model = with_state(9);
    memset(slots, 0xFF, 2 * SLOT);
    save(slots, &model, LICHEN_POWER_STAYS);
    lichen_store_u32(slots + 20, last - 1u);
    const uint32_t crc = lichen_crc32(LICHEN_CRC32_START, slots, BLOB - 4);
    lichen_store_u32(slots + BLOB - 4, crc);
    save(slots, &model, LICHEN_POWER_STAYS);
    REQUIRE(lichen_load_u32(slots + SLOT + 20) == last);
}

static void everywhere(void)
{
    uint8_t slots[2 * SLOT];
    const uint8_t fills[] = {0x00, 0xFF, 0xA5};
    for (size_t i = 0; i < sizeof fills; i++) {
        memset(slots, fills[i], sizeof slots);
        from(slots);
    }
    const model_t model = with_state(4);
    memset(slots, 0xFF, sizeof slots);
    for (int saves = 0; saves < 2; saves++) { /* the newest in the first slot, then in the second */
        save(slots, &model, LICHEN_POWER_STAYS);
        from(slots);
    }
    const uint32_t turning[] = {0x7FFFFFFF, 0x80000000, 0x80000001, 0xFFFFFFFE, 0xFFFFFFFF, 0, 1, 2};
    for (size_t i = 0; i < sizeof turning / sizeof turning[0]; i++) {
        with_sequence(slots, turning[i]);
        from(slots);
    }
}

int main(void)
{
    everywhere();
    like_eeprom = true;
    everywhere();
    puts("done");
    return 0;
}
