/* What every kernel shares: inlining, the clamp, and access to tables in flash. */
#ifndef LICHEN_COMMON_H
#define LICHEN_COMMON_H

#include <stdint.h>
#include <string.h>

#if defined(__AVR__)
#include <avr/pgmspace.h>
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

/* A call of a kernel that several functions make: one copy for all of them. */
#if defined(__GNUC__) && !defined(__clang__)
#define LICHEN_ONE_COPY __attribute__((noinline, noclone))
#elif defined(__GNUC__)
#define LICHEN_ONE_COPY __attribute__((noinline))
#else
#define LICHEN_ONE_COPY
#endif

/* Parts of a kernel. A helper is inlined for speed, and one copy of its own where flash is dearer. A loop is always a function of its
   own: so it has the registers to itself. */
#if defined(__GNUC__)
#define LICHEN_LOOP static __attribute__((noinline, unused))
#else
#define LICHEN_LOOP LICHEN_INLINE
#endif
#if defined(LICHEN_OPTIMIZE_SPEED) && !defined(__AVR__)
#define LICHEN_HELPER LICHEN_INLINE
#else
#define LICHEN_HELPER LICHEN_LOOP
#endif

/* Helpers for which AVR decides otherwise: one that is given params is inlined there, or they would be copied to RAM; one that is not
   is shared by all calls, because flash is dear. */
#if defined(__AVR__)
#define LICHEN_FOLDED LICHEN_INLINE
#define LICHEN_SHARED LICHEN_LOOP
#else
#define LICHEN_FOLDED LICHEN_HELPER
#define LICHEN_SHARED LICHEN_INLINE
#endif

/* Whether loops are to be short rather than fast. */
#if defined(LICHEN_OPTIMIZE_SPEED) && !defined(__AVR__)
#define LICHEN_SHORT 0
#else
#define LICHEN_SHORT 1
#endif

/* An innermost loop: a helper that is compiled for speed in any case, for it is short and most of the time is spent there. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__OPTIMIZE_SIZE__) && !defined(__AVR__)
#define LICHEN_HOT LICHEN_HELPER __attribute__((optimize("O2")))
#else
#define LICHEN_HOT LICHEN_HELPER
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

/* A value of a table, or of a tensor in RAM. */
LICHEN_INLINE float lichen_read_f32(const float *p, int in_flash)
{
    return in_flash ? lichen_flash_f32(p) : *p;
}

/* Copies n bytes of a table. */
LICHEN_INLINE void lichen_flash_copy(void *to, const void *from, size_t n)
{
#if defined(__AVR__)
    memcpy_P(to, from, n);
#else
    memcpy(to, from, n);
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
