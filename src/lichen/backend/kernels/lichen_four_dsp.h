/* Four neighbouring int8 in one word, on cores with DSP instructions. */
#ifndef LICHEN_FOUR_DSP_H
#define LICHEN_FOUR_DSP_H

#include "lichen_dsp.h"

/* Four times the same. */
LICHEN_INLINE uint32_t lichen_four_equal_dsp(int x)
{
    return (uint8_t)x * 0x01010101u;
}

/* The lowest bytes of four words, the first lowest. */
LICHEN_INLINE uint32_t lichen_four_dsp(int32_t x0, int32_t x1, int32_t x2, int32_t x3)
{
    const uint32_t low = lichen_insert_second((uint32_t)x0, (uint32_t)x1), high = lichen_insert_second((uint32_t)x2, (uint32_t)x3);
    return lichen_pack_low(low, high);
}

/* The range that results are limited to. */
typedef struct {
    uint32_t low, high; /* each four times */
} lichen_range_dsp;

LICHEN_INLINE lichen_range_dsp lichen_range_of_dsp(int low, int high)
{
    lichen_range_dsp range;
    range.low = lichen_four_equal_dsp(low);
    range.high = lichen_four_equal_dsp(high);
    return range;
}

LICHEN_INLINE uint32_t lichen_limit_four_dsp(uint32_t x, lichen_range_dsp range)
{
    return lichen_smaller_s8(lichen_larger_s8(x, range.low), range.high);
}

/* Where an operand of a run can be read by words: in its place, or in `four` if it stays the same (`step` is 0). */
LICHEN_INLINE const int8_t *lichen_run_operand_dsp(const int8_t *data, int step, uint32_t *four)
{
    *four = step ? 0 : lichen_four_equal_dsp(*data);
    return step ? data : (const int8_t *)four;
}

#endif
