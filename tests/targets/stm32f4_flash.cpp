// A model of the STM32F4's flash controller, after "Embedded Flash memory interface" of RM0383, under the driver that is to use
// it: the driver is compiled as C++ so that its accesses to registers become calls. What it writes to the flash itself is found
// by comparing the memory with what it was, at the next access to a register.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

constexpr unsigned first_sector = 1, slot_bytes = 16384;
alignas(4) uint8_t flash[2 * slot_bytes], before[2 * slot_bytes];

[[noreturn]] void wrong(const char *what)
{
    std::fprintf(stderr, "%s\n", what);
    std::exit(1);
}

struct Controller {
    uint32_t control = 1u << 31, status = 0xF0; // locked; errors left over by whoever ran before
    int keys = 0, busy = 0;
    unsigned erases = 0, programmed = 0;

    bool locked() const { return control >> 31; }

    void key(uint32_t value)
    {
        if (keys == 0 && value == 0x45670123) {
            keys = 1;
        } else if (keys == 1 && value == 0xCDEF89AB) {
            keys = 2;
            control &= ~(1u << 31);
        } else {
            wrong("a wrong key locks the controller until the next reset");
        }
    }

    // What has been written to the flash since the last access to a register must be one unit of the chosen width.
    void look()
    {
        size_t first = sizeof flash, last = 0;
        for (size_t i = 0; i < sizeof flash; i++) {
            if (flash[i] == before[i]) continue;
            first = first < i ? first : i;
            last = i;
        }
        if (first == sizeof flash) return;
        const unsigned width = 1u << (control >> 8 & 3);
        if (locked() || !(control & 1) || (control & 2)) wrong("written without PG");
        if (status & 0xF2) wrong("written while errors are pending");
        if (busy) wrong("written while busy");
        if (first / width != last / width) wrong("written in another width than PSIZE");
        for (size_t i = first; i <= last; i++) {
            if (flash[i] & ~before[i]) wrong("a bit set by programming");
        }
        std::memcpy(before, flash, sizeof flash);
        programmed++;
        busy = 3;
    }

    uint32_t read_status()
    {
        look();
        if (busy > 0) busy--;
        return status | (busy > 0 ? 1u << 16 : 0);
    }

    void write_status(uint32_t value)
    {
        look();
        status &= ~value;
    }

    void write_control(uint32_t value)
    {
        look();
        if (busy) wrong("control written while busy");
        if (locked()) wrong("control written while locked");
        if (value >> 31) keys = 0;
        control = value;
        if (!(value & 1u << 16)) return;
        const unsigned sector = value >> 3 & 15;
        if (!(value & 2) || (value & 5)) wrong("started, but not to erase a sector");
        if (status & 0xF2) wrong("started while errors are pending");
        if (sector < first_sector || sector > first_sector + 1) wrong("erases somebody else's sector");
        std::memset(flash + (sector - first_sector) * slot_bytes, 0xFF, slot_bytes);
        std::memcpy(before, flash, sizeof flash);
        control &= ~(1u << 16);
        erases++;
        busy = 9;
    }
} controller;

struct Status {
    operator uint32_t() const { return controller.read_status(); }
    void operator=(uint32_t value) const { controller.write_status(value); }
};
struct Control {
    operator uint32_t() const { return controller.control; }
    void operator=(uint32_t value) const { controller.write_control(value); }
};
struct Key {
    void operator=(uint32_t value) const { controller.key(value); }
};
struct Registers {
    Key keyr;
    Status sr;
    Control cr;
} registers;

} // namespace

#define FLASH (&registers)
#define LICHEN_STORAGE_ORIGIN flash
#define LICHEN_STORAGE_SLOT_BYTES slot_bytes
#define LICHEN_STORAGE_SECTOR first_sector
#include "storage_stm32f4.c"

#include "lichen_state.h"

int main()
{
    const lichen_storage storage = port_storage();
    static uint8_t state[1003], loaded[sizeof state];
    const lichen_state_owner owner = {42, sizeof state};
    if (lichen_state_load(owner, loaded, &storage) != LICHEN_STATE_NOTHING_SAVED) wrong("something saved in zeros");
    for (unsigned save = 0; save < 5; save++) {
        for (size_t i = 0; i < sizeof state; i++) state[i] = (uint8_t)(save * 31 + i * 7);
        if (lichen_state_save(owner, state, &storage) != LICHEN_STATE_OK) wrong("not saved");
        if (!controller.locked()) wrong("left unlocked");
        if (lichen_state_load(owner, loaded, &storage) != LICHEN_STATE_OK) wrong("not loaded");
        if (std::memcmp(state, loaded, sizeof state) != 0) wrong("loaded something else");
    }
    std::printf("%u %u\n", controller.erases, controller.programmed);
}
