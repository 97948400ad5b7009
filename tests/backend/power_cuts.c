/* Lets the power fail at every byte of a save, and again at every byte of the next, from every state the slots can be in. */
#include <stdio.h>
#include <stdlib.h>

#include "lichen_memory_storage.h"
#include "lichen_state.h"
#include "model.h"

enum { SLOT = MODEL_STATE_BYTES + 28 + 5, OVERHEAD = 28, COST = SLOT + MODEL_STATE_BYTES + OVERHEAD };

#define REQUIRE(condition)                                                                                                \
    do {                                                                                                                  \
        if (!(condition)) {                                                                                               \
            fprintf(stderr, "line %d: %s (cuts %zu, %zu)\n", __LINE__, #condition, cuts[0], cuts[1]);                     \
            exit(1);                                                                                                      \
        }                                                                                                                 \
    } while (0)

static size_t cuts[2];

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
    const lichen_storage storage = lichen_memory_as_storage(&memory);
    return model_save(model, &storage);
}

static lichen_state_status load(uint8_t *slots, model_t *model)
{
    lichen_memory_storage memory = {slots, SLOT, LICHEN_POWER_STAYS};
    const lichen_storage storage = lichen_memory_as_storage(&memory);
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
    REQUIRE(ended == (power > COST));
    if (ended) REQUIRE(after && same(&now, next));
    REQUIRE(after || !before);
    REQUIRE(!after || same(&now, next) || (before && same(&now, &old)));
    if (power < COST) REQUIRE(after == before && same(&now, &old));
}

static void from(const uint8_t *beginning)
{
    const model_t first = with_state(1), second = with_state(2), third = with_state(3);
    uint8_t slots[2 * SLOT], again[2 * SLOT];
    for (cuts[0] = 0; cuts[0] <= COST + 1; cuts[0]++) {
        memcpy(slots, beginning, sizeof slots);
        cut(slots, &first, cuts[0]);
        for (cuts[1] = 0; cuts[1] <= COST + 1; cuts[1]++) {
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
    const uint32_t crc = lichen_crc32(LICHEN_CRC32_START, slots, MODEL_STATE_BYTES + OVERHEAD - 4);
    lichen_store_u32(slots + MODEL_STATE_BYTES + OVERHEAD - 4, crc);
    save(slots, &model, LICHEN_POWER_STAYS);
    REQUIRE(lichen_load_u32(slots + SLOT + 20) == last);
}

int main(void)
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
    puts("done");
    return 0;
}
