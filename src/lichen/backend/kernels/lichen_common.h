/* What every kernel shares: inlining, the clamp, and access to tables in flash. */
#ifndef LICHEN_COMMON_H
#define LICHEN_COMMON_H

#include <stdint.h>

#if defined(__AVR__)
#include <avr/pgmspace.h>
#include <string.h>
#define LICHEN_FLASH PROGMEM
#else
#define LICHEN_FLASH
#endif

/* Under LICHEN_OPTIMIZE_SPEED each call becomes a copy specialised to its shapes. On AVR too: a table of shapes that is not folded
   would be copied to RAM. Otherwise the compiler keeps one copy of a kernel for all calls. */
#if defined(__GNUC__) && (defined(LICHEN_OPTIMIZE_SPEED) || defined(__AVR__))
#define LICHEN_KERNEL static inline __attribute__((always_inline))
#elif defined(__GNUC__)
#define LICHEN_KERNEL static __attribute__((noinline, unused))
#else
#define LICHEN_KERNEL static inline
#endif

#if defined(__GNUC__)
#define LICHEN_INLINE static inline __attribute__((always_inline))
#else
#define LICHEN_INLINE static inline
#endif

/* Part of a kernel: inlined for speed, one copy of its own where flash is dearer. */
#if defined(__GNUC__) && (!defined(LICHEN_OPTIMIZE_SPEED) || defined(__AVR__))
#define LICHEN_HELPER static __attribute__((noinline, unused))
#else
#define LICHEN_HELPER LICHEN_INLINE
#endif

/* Said before every kernel call; builds that profile or validate define it. */
#ifndef LICHEN_MARK
#define LICHEN_MARK(index) ((void)0)
#endif

/* Tables (weights, biases, multipliers) are in flash, which on AVR is an address space of its own. */
LICHEN_INLINE int8_t lichen_flash_s8(const int8_t *p)
{
#if defined(__AVR__)
    return (int8_t)pgm_read_byte(p);
#else
    return *p;
#endif
}

LICHEN_INLINE int16_t lichen_flash_s16(const int16_t *p)
{
#if defined(__AVR__)
    return (int16_t)pgm_read_word(p);
#else
    return *p;
#endif
}

LICHEN_INLINE int32_t lichen_flash_s32(const int32_t *p)
{
#if defined(__AVR__)
    return (int32_t)pgm_read_dword(p);
#else
    return *p;
#endif
}

LICHEN_INLINE float lichen_flash_f32(const float *p)
{
#if defined(__AVR__)
    return pgm_read_float(p);
#else
    return *p;
#endif
}

LICHEN_INLINE int8_t lichen_clamp_s8(int32_t x, int low, int high)
{
    return (int8_t)(x < low ? low : x > high ? high : x);
}

LICHEN_INLINE float lichen_clamp_f32(float x, float low, float high)
{
    return x < low ? low : x > high ? high : x;
}

#endif
