/* int8 depthwise convolution with 3x3 kernels for cores with DSP instructions, NHWC, per-channel scales: the bytes of
   lichen_depthwise_conv2d_s8.h, row by row and without scratch.

   How this works inside: a word of the input holds four channels of a pixel, of which SXTB16 takes two, c and c + 2. Of the three pixels
   above each other in a column, PKHBT and PKHTB make a word with two pixels of channel c, one with those of c + 2, and the third pixel's
   stays as it is. So a column of a kernel is three words of weights, too, and four multiplications for both channels: SMLAD, SMLAD,
   SMLABB, SMLATT. Going from left to right, each column of the input is the third of one output, which is then finished, the first of
   another, and, with stride 1, the second of a third. What a pair of channels needs lies in one struct in the order in which it is read,
   so that LDM brings three words at once.

   Rows of padding are rows whose weights are zero. Columns of padding, of which there is at most one on each side, are columns of zero
   points; biases have -in_zero * (sum of the channel's weights) folded in.

   Cost with stride 1, in instructions an output: 20, or 21 where outputs are not clamped at zero, and some 70 for each row of a channel,
   half of which begins the first output and finishes the last; with stride 2 it is 25. Where flash is dearer than time a loop in C takes
   40.

   For each group of four channels, of which the last may overlap the one before, tables hold two pairs, c and c + 2, then c + 1 and c + 3.
   weights: five words that SXTB16 widens to those of the first column, the second and the third. channels: two biases and two scales.
   (ops/depthwise_3x3_dsp.py) */
#ifndef LICHEN_DEPTHWISE_3X3_S8_DSP_H
#define LICHEN_DEPTHWISE_3X3_S8_DSP_H

#include "lichen_requantise_dsp.h"
#include "lichen_view.h"

typedef struct {
    int32_t in_length, out_length; /* elements from one row to the next */
    int16_t in_h, in_w, in_c;
    int16_t out_w, out_c; /* out_c as many as in_c, at least four */
    int16_t stride_h, stride_w, pad_top, pad_left; /* stride_w is 1 or 2, pad_left 0 or 1 */
    int8_t in_zero, out_zero;
    int8_t finish; /* what is known of all ratios of scales: not LICHEN_ANY_RATIO */
} lichen_depthwise_3x3_s8_dsp_params;

/* A column of the kernel, for channels c and c + 2: the upper two weights of c, those of c + 2, and the lowest of both. */
typedef struct {
    uint32_t first, second, lowest;
} lichen_depthwise_column_dsp;

/* What finishes an output, and what begins one. */
typedef struct {
    lichen_depthwise_column_dsp third;
    lichen_scale_dsp scale;
    int32_t zero;
    lichen_scale_dsp scale2;
} lichen_depthwise_end_dsp;

typedef struct {
    int32_t bias[2];
    lichen_depthwise_column_dsp first, second;
} lichen_depthwise_begin_dsp;

/* Two channels of a row. The numbers are where members lie for the loops in assembly, which read from 28 on what they need in this order. */
typedef struct {
    const int8_t *x;                  /*  0: the next column of the row above */
    int32_t row1, row2;               /*  4,  8: from there to the other rows */
    int32_t sums[4];                  /* 12: of the output that is to be finished, and of the one after it */
    lichen_depthwise_end_dsp end;     /* 28 */
    int32_t step;                     /* 60: from one pixel to the next */
    uintptr_t out;                    /* 64: the next output; with stride 1 seen from the next column */
    const int8_t *stop;               /* 68: where the next column, with stride 2 the next output, lies when one output is left */
    lichen_depthwise_begin_dsp begin; /* 72 */
} lichen_depthwise_pair_dsp;

typedef void lichen_depthwise_3x3_loop_dsp(lichen_depthwise_pair_dsp *pair, int is_odd);

/* Three pixels above each other. */
typedef struct {
    uint32_t first, second, lowest;
} lichen_depthwise_pixels_dsp;

/* Of the four channels there two, as int16. */
LICHEN_INLINE uint32_t lichen_depthwise_channels_dsp(const int8_t *x, int is_odd)
{
    const uint32_t word = lichen_load_word(x);
    return lichen_sxtb16(is_odd ? word >> 8 : word);
}

/* Three pixels above each other, each two channels as int16. */
LICHEN_INLINE lichen_depthwise_pixels_dsp lichen_depthwise_pixels_of_dsp(uint32_t top, uint32_t middle, uint32_t lowest)
{
    lichen_depthwise_pixels_dsp pixels;
    pixels.first = lichen_pack_low(top, middle);
    pixels.second = lichen_pack_high(top, middle);
    pixels.lowest = lowest;
    return pixels;
}

/* Adds the products of a column to the sums of both channels. */
LICHEN_INLINE void lichen_depthwise_add_dsp(int32_t *sums, lichen_depthwise_pixels_dsp x, lichen_depthwise_column_dsp w)
{
    sums[0] = lichen_smlad(x.first, w.first, sums[0]) + lichen_low_lane(x.lowest) * lichen_low_lane(w.lowest);
    sums[1] = lichen_smlad(x.second, w.second, sums[1]) + lichen_high_lane(x.lowest) * lichen_high_lane(w.lowest);
}

LICHEN_INLINE void lichen_depthwise_begin_sums_dsp(int32_t *sums, const lichen_depthwise_begin_dsp *begin, lichen_depthwise_pixels_dsp x)
{
    sums[0] = begin->bias[0];
    sums[1] = begin->bias[1];
    lichen_depthwise_add_dsp(sums, x, begin->first);
}

/* The outputs of both channels. */
LICHEN_INLINE void lichen_depthwise_finish_dsp(int32_t *sums, const lichen_depthwise_end_dsp *end, lichen_depthwise_pixels_dsp x, int8_t *out)
{
    lichen_depthwise_add_dsp(sums, x, end->third);
    out[0] = (int8_t)lichen_ssat8(lichen_requantise_dsp(end->scale, sums[0], end->zero, LICHEN_BELOW_HALF));
    out[2] = (int8_t)lichen_ssat8(lichen_requantise_dsp(end->scale2, sums[1], end->zero, LICHEN_BELOW_HALF));
}

/* What a pair has in flash: five words, and six numbers. */
LICHEN_INLINE void lichen_depthwise_from_flash_dsp(lichen_depthwise_pair_dsp *pair, const int8_t *weights, const int32_t *channels)
{
    const uint32_t w0 = lichen_load_word(weights), w1 = lichen_load_word(weights + 4), w2 = lichen_load_word(weights + 8);
    const uint32_t w3 = lichen_load_word(weights + 12), w4 = lichen_load_word(weights + 16);
    lichen_depthwise_begin_dsp *const begin = &pair->begin;
    begin->first.first = lichen_sxtb16(w0);
    begin->first.second = lichen_sxtb16_odd(w0);
    begin->first.lowest = lichen_sxtb16(w1);
    begin->second.first = lichen_sxtb16_odd(w1);
    begin->second.second = lichen_sxtb16(w2);
    begin->second.lowest = lichen_sxtb16_odd(w2);
    pair->end.third.first = lichen_sxtb16(w3);
    pair->end.third.second = lichen_sxtb16_odd(w3);
    pair->end.third.lowest = lichen_sxtb16(w4);
    memcpy(begin->bias, channels, sizeof begin->bias);
    memcpy(&pair->end.scale, channels + 2, sizeof pair->end.scale);
    memcpy(&pair->end.scale2, channels + 4, sizeof pair->end.scale2);
}

#if LICHEN_SHORT

/* A row of outputs of two channels, column by column, from that which is the first of the first output to that which is the third of the last. */
LICHEN_HOT void lichen_depthwise_3x3_pair_dsp(const lichen_depthwise_3x3_s8_dsp_params *p, lichen_depthwise_pair_dsp *pair,
    const int8_t *const *rows, int group, int8_t *out, int is_odd, lichen_depthwise_3x3_loop_dsp *loop)
{
    const int by_1 = p->stride_w == 1, last = (p->out_w - 1) * p->stride_w + 2;
    const uint32_t zeros = lichen_lanes(p->in_zero, p->in_zero);
    int32_t sums[2] = {0, 0}, first[2], next[2] = {0, 0};
    (void)loop;
    for (int i = 0; i <= last; i++) {
        const int column = i - p->pad_left;
        lichen_depthwise_pixels_dsp pixels = lichen_depthwise_pixels_of_dsp(zeros, zeros, zeros);
        if (column >= 0 && column < p->in_w) {
            const int at = column * p->in_c + group;
            pixels = lichen_depthwise_pixels_of_dsp(rows[0] != NULL ? lichen_depthwise_channels_dsp(rows[0] + at, is_odd) : zeros,
                rows[1] != NULL ? lichen_depthwise_channels_dsp(rows[1] + at, is_odd) : zeros,
                rows[2] != NULL ? lichen_depthwise_channels_dsp(rows[2] + at, is_odd) : zeros);
        }
        if (by_1 || i % 2 == 0) {
            if (i >= 2) {
                lichen_depthwise_finish_dsp(sums, &pair->end, pixels, out);
                out += p->in_c;
            }
            first[0] = next[0];
            first[1] = next[1];
            lichen_depthwise_begin_sums_dsp(next, &pair->begin, pixels);
            sums[0] = by_1 ? first[0] : next[0];
            sums[1] = by_1 ? first[1] : next[1];
        }
        if (by_1 || i % 2 != 0) {
            lichen_depthwise_add_dsp(sums, pixels, pair->begin.second);
        }
    }
}

LICHEN_INLINE lichen_depthwise_3x3_loop_dsp *lichen_depthwise_3x3_loop_for_dsp(int stride, int finish)
{
    (void)stride;
    (void)finish;
    return NULL; /* there is none */
}

#else

/* Three pixels above each other, none of which is padding. */
LICHEN_INLINE lichen_depthwise_pixels_dsp lichen_depthwise_pixels_at_dsp(const lichen_depthwise_pair_dsp *pair, const int8_t *x, int is_odd)
{
    return lichen_depthwise_pixels_of_dsp(lichen_depthwise_channels_dsp(x, is_odd), lichen_depthwise_channels_dsp(x + pair->row1, is_odd),
        lichen_depthwise_channels_dsp(x + pair->row2, is_odd));
}

LICHEN_INLINE lichen_depthwise_pixels_dsp lichen_depthwise_padding_dsp(int in_zero)
{
    const uint32_t zeros = lichen_lanes(in_zero, in_zero);
    return lichen_depthwise_pixels_of_dsp(zeros, zeros, zeros);
}

#if LICHEN_HAS_DSP && defined(__OPTIMIZE__)

/* How this works inside: r0 to r2 are where a column lies, r3 to r6 the sums, r8 to r10 the pixels of a column, r11, r12 and lr what is read
   of the struct, and r7, which is left for it, the place there. */
#define LICHEN_3X3_PIXELS(rotated)                                                             \
    "ldr r8, [r0]\n\tldr r11, [r0, r1]\n\tldr r10, [r0, r2]\n\t"                                     \
    "sxtb16 r8, r8" rotated "\n\tsxtb16 r11, r11" rotated "\n\tsxtb16 r10, r10" rotated "\n\t"       \
    "pkhtb r9, r11, r8, asr #16\n\tpkhbt r8, r8, r11, lsl #16\n\t"
#define LICHEN_3X3_COLUMN(a, b)                                                                \
    "ldm %[s]!, {r11, r12, lr}\n\t"                                                                  \
    "smlad " a ", r8, r11, " a "\n\tsmlad " b ", r9, r12, " b "\n\t"                                 \
    "smlabb " a ", r10, lr, " a "\n\tsmlatt " b ", r10, lr, " b "\n\t"
#define LICHEN_3X3_TO_INT8_CLAMPED(sum) \
    "smmlar " sum ", " sum ", r11, " sum "\n\tsmmlsr " sum ", " sum ", r12, lr\n\tssat " sum ", #8, " sum "\n\t"
#define LICHEN_3X3_TO_INT8(sum)                                                                \
    "smmlar " sum ", " sum ", r11, " sum "\n\tadd " sum ", " sum ", " sum ", asr #31\n\t"            \
    "smmlsr " sum ", " sum ", r12, lr\n\tssat " sum ", #8, " sum "\n\t"
#define LICHEN_3X3_FINISH(a, b, to_int8)                                                       \
    LICHEN_3X3_COLUMN(a, b)                                                                    \
    "ldm %[s]!, {r11, r12, lr}\n\t" to_int8(a) "ldm %[s]!, {r11, r12}\n\t" to_int8(b)                \
    "ldm %[s]!, {r11, r12, lr}\n\t"
#define LICHEN_3X3_BEGIN_NEXT(a, b) "ldm %[s]!, {" a ", " b "}\n\t" LICHEN_3X3_COLUMN(a, b)
#define LICHEN_3X3_AGAIN "sub %[s], %[s], #76\n\t"

/* One column of a row with stride 1: a, b become those of an output two further on. */
#define LICHEN_3X3_BY_1(a, b, next_a, next_b, rotated, to_int8)                                \
    LICHEN_3X3_PIXELS(rotated) LICHEN_3X3_FINISH(a, b, to_int8)                          \
    "strb " a ", [r0, r12]\n\tadd r12, r12, #2\n\tstrb " b ", [r0, r12]\n\tadd r0, r0, r11\n\tcmp r0, lr\n\t" \
    LICHEN_3X3_BEGIN_NEXT(a, b) LICHEN_3X3_COLUMN(next_a, next_b) LICHEN_3X3_AGAIN
#define LICHEN_3X3_ALL_BY_1(rotated, to_int8)                                                  \
    "ldm %[s]!, {r0, r1, r2, r3, r4, r5, r6}\n"                                                      \
    "1:\n\t" LICHEN_3X3_BY_1("r3", "r4", "r5", "r6", rotated, to_int8)                         \
    "beq 2f\n\t" LICHEN_3X3_BY_1("r5", "r6", "r3", "r4", rotated, to_int8)                     \
    "bne 1b\n\tb 3f\n"                                                                               \
    "2:\n\tmov r3, r5\n\tmov r4, r6\n"                                                               \
    "3:\n\tstr r0, [%[s], #-28]!\n\tstrd r3, r4, [%[s], #12]"

/* The same with stride 2, two columns: r5 is where outputs go, r6 the step. */
#define LICHEN_3X3_ALL_BY_2(rotated, to_int8)                                                  \
    "ldm %[s]!, {r0, r1, r2, r3, r4, r5, r6}\n\tldr r5, [%[s], #36]\n"                               \
    "1:\n\t" LICHEN_3X3_PIXELS(rotated) LICHEN_3X3_FINISH("r3", "r4", to_int8)           \
    "strb r3, [r5]\n\tstrb r4, [r5, #2]\n\tmov r6, r11\n\tadd r5, r5, r6\n\tadd r0, r0, r6\n\tcmp r5, lr\n\t" \
    LICHEN_3X3_BEGIN_NEXT("r3", "r4")                                                          \
    LICHEN_3X3_PIXELS(rotated) LICHEN_3X3_COLUMN("r3", "r4")                             \
    "add r0, r0, r6\n\t" LICHEN_3X3_AGAIN "bne 1b\n\t"                                         \
    "str r0, [%[s], #-28]!\n\tstrd r3, r4, [%[s], #12]"

#define LICHEN_3X3_ASM(text)                                                                         \
    __asm__ volatile(text                                                                            \
                     : [s] "+r"(pair)                                                                \
                     :                                                                               \
                     : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory")

/* All columns of a row but those that begin the first output or finish the last. */
#define LICHEN_3X3_LOOP(stride, ratios, to_int8)                                                     \
    LICHEN_LOOP void lichen_depthwise_3x3_by_##stride##_##ratios##_dsp(lichen_depthwise_pair_dsp *pair, int is_odd) \
    {                                                                                                \
        pair->out -= stride == 1 ? (uintptr_t)pair->x : 0;                                           \
        if (is_odd) {                                                                                \
            LICHEN_3X3_ASM(LICHEN_3X3_ALL_BY_##stride(", ror #8", to_int8));                         \
        } else {                                                                                     \
            LICHEN_3X3_ASM(LICHEN_3X3_ALL_BY_##stride("", to_int8));                                 \
        }                                                                                            \
    }
LICHEN_3X3_LOOP(1, below_half, LICHEN_3X3_TO_INT8)
LICHEN_3X3_LOOP(1, clamped, LICHEN_3X3_TO_INT8_CLAMPED)
LICHEN_3X3_LOOP(2, below_half, LICHEN_3X3_TO_INT8)
LICHEN_3X3_LOOP(2, clamped, LICHEN_3X3_TO_INT8_CLAMPED)

LICHEN_INLINE lichen_depthwise_3x3_loop_dsp *lichen_depthwise_3x3_loop_for_dsp(int stride, int finish)
{
    if (stride == 1) {
        return finish == LICHEN_CLAMPED_AT_ZERO ? lichen_depthwise_3x3_by_1_clamped_dsp : lichen_depthwise_3x3_by_1_below_half_dsp;
    }
    return finish == LICHEN_CLAMPED_AT_ZERO ? lichen_depthwise_3x3_by_2_clamped_dsp : lichen_depthwise_3x3_by_2_below_half_dsp;
}

#else

LICHEN_INLINE void lichen_depthwise_3x3_columns_dsp(lichen_depthwise_pair_dsp *pair, int stride, int is_odd)
{
    const int8_t *const stop = pair->stop;
    int8_t *out = (int8_t *)pair->out;
    do {
        lichen_depthwise_pixels_dsp x = lichen_depthwise_pixels_at_dsp(pair, pair->x, is_odd);
        lichen_depthwise_finish_dsp(pair->sums, &pair->end, x, out);
        out += pair->step;
        pair->x += pair->step;
        if (stride == 1) {
            pair->sums[0] = pair->sums[2];
            pair->sums[1] = pair->sums[3];
            lichen_depthwise_begin_sums_dsp(pair->sums + 2, &pair->begin, x);
        } else {
            lichen_depthwise_begin_sums_dsp(pair->sums, &pair->begin, x);
            x = lichen_depthwise_pixels_at_dsp(pair, pair->x, is_odd);
            pair->x += pair->step;
        }
        lichen_depthwise_add_dsp(pair->sums, x, pair->begin.second);
    } while ((stride == 1 ? pair->x : out) != stop);
}

LICHEN_LOOP void lichen_depthwise_3x3_by_1_dsp(lichen_depthwise_pair_dsp *pair, int is_odd)
{
    lichen_depthwise_3x3_columns_dsp(pair, 1, is_odd);
}

LICHEN_LOOP void lichen_depthwise_3x3_by_2_dsp(lichen_depthwise_pair_dsp *pair, int is_odd)
{
    lichen_depthwise_3x3_columns_dsp(pair, 2, is_odd);
}

LICHEN_INLINE lichen_depthwise_3x3_loop_dsp *lichen_depthwise_3x3_loop_for_dsp(int stride, int finish)
{
    (void)finish; /* the general way serves both */
    return stride == 1 ? lichen_depthwise_3x3_by_1_dsp : lichen_depthwise_3x3_by_2_dsp;
}

#endif

/* One lane of each word of weights that is left. */
LICHEN_INLINE void lichen_depthwise_drop_dsp(lichen_depthwise_column_dsp *w, uint32_t upper, uint32_t lowest)
{
    w->first &= upper;
    w->second &= upper;
    w->lowest &= lowest;
}

/* Makes the weights of rows outside the input zero: whether that above is there, the middle one, the lowest. What the bias has of them
   is taken out. */
LICHEN_LOOP void lichen_depthwise_without_dsp(lichen_depthwise_pair_dsp *pair, const int8_t *const *rows, int in_zero)
{
    const lichen_depthwise_pixels_dsp zeros = lichen_depthwise_padding_dsp(in_zero);
    const uint32_t upper = (rows[0] != NULL ? 0xffffu : 0) | (rows[1] != NULL ? 0xffff0000u : 0), lowest = rows[2] != NULL ? 0xffffffffu : 0;
    lichen_depthwise_column_dsp *const columns[3] = {&pair->begin.first, &pair->begin.second, &pair->end.third};
    for (int i = 0; i < 3; i++) {
        lichen_depthwise_column_dsp dropped = *columns[i];
        lichen_depthwise_drop_dsp(&dropped, ~upper, ~lowest);
        lichen_depthwise_add_dsp(pair->begin.bias, zeros, dropped);
        lichen_depthwise_drop_dsp(columns[i], upper, lowest);
    }
}

/* The same: what begins the first output, all columns but the last, and what finishes the last output. */
LICHEN_INLINE void lichen_depthwise_3x3_pair_dsp(const lichen_depthwise_3x3_s8_dsp_params *p, lichen_depthwise_pair_dsp *pair,
    const int8_t *const *rows, int group, int8_t *out, int is_odd, lichen_depthwise_3x3_loop_dsp *loop)
{
    const int8_t *const inside = rows[1] != NULL ? rows[1] : rows[0] != NULL ? rows[0] : rows[2];
    const int8_t *const top = rows[0] != NULL ? rows[0] : inside, *x = top + group;
    const int step = p->in_c, left = p->out_w - 1, last = left * p->stride_w + 2 - p->pad_left;
    const lichen_depthwise_pixels_dsp padding = lichen_depthwise_padding_dsp(p->in_zero);
    lichen_depthwise_pixels_dsp pixels = padding;
    pair->row1 = (int32_t)((rows[1] != NULL ? rows[1] : inside) - top);
    pair->row2 = (int32_t)((rows[2] != NULL ? rows[2] : inside) - top);
    if (rows[0] == NULL || rows[1] == NULL || rows[2] == NULL) {
        lichen_depthwise_without_dsp(pair, rows, p->in_zero);
    }
    if (p->pad_left == 0) {
        pixels = lichen_depthwise_pixels_at_dsp(pair, x, is_odd);
        x += step;
    }
    lichen_depthwise_begin_sums_dsp(pair->sums, &pair->begin, pixels);
    pixels = lichen_depthwise_pixels_at_dsp(pair, x, is_odd);
    lichen_depthwise_add_dsp(pair->sums, pixels, pair->begin.second);
    if (p->stride_w == 1) {
        lichen_depthwise_begin_sums_dsp(pair->sums + 2, &pair->begin, pixels);
    }
    pair->x = x + step;
    pair->step = step;
    pair->out = (uintptr_t)out;
    pair->stop = p->stride_w == 1 ? pair->x + left * step : out + left * step;
    if (left > 0) {
        loop(pair, is_odd);
    }
    pixels = last < p->in_w ? lichen_depthwise_pixels_at_dsp(pair, pair->x, is_odd) : padding;
    lichen_depthwise_finish_dsp(pair->sums, &pair->end, pixels, out + left * step);
}

#endif

/* One row of outputs; `rows` are those of the input, NULL where they are padding, and at least one is not. */
LICHEN_LOOP void lichen_depthwise_3x3_row_dsp(const lichen_depthwise_3x3_s8_dsp_params *p, const int8_t *const *rows, int8_t *out,
    const int8_t *weights, const int32_t *channels, lichen_depthwise_3x3_loop_dsp *loop)
{
    for (int c = 0; c < p->in_c; c += 4) {
        const int group = c + 4 <= p->in_c ? c : p->in_c - 4; /* the last four are computed again in part */
        for (int is_odd = 0; is_odd < 2; is_odd++, weights += 20, channels += 6) {
            lichen_depthwise_pair_dsp pair;
            lichen_depthwise_from_flash_dsp(&pair, weights, channels);
            pair.end.zero = p->out_zero;
            lichen_depthwise_3x3_pair_dsp(p, &pair, rows, group, out + group + is_odd, is_odd, loop);
        }
    }
}

LICHEN_KERNEL void lichen_depthwise_3x3_s8_dsp(const lichen_depthwise_3x3_s8_dsp_params *p, lichen_view_s8 in, lichen_view_s8 out,
    const int8_t *weights, const int32_t *channels, int row_begin, int row_end)
{
    lichen_depthwise_3x3_loop_dsp *const loop = lichen_depthwise_3x3_loop_for_dsp(p->stride_w, p->finish);
    for (int row = row_begin; row < row_end; row++) {
        const int8_t *rows[3];
        int y = row * p->stride_h - p->pad_top;
        for (int k = 0; k < 3; k++, y++) {
            rows[k] = y >= 0 && y < p->in_h ? lichen_window_row_s8(in, y, (int)p->in_length) : NULL;
        }
        lichen_depthwise_3x3_row_dsp(p, rows, lichen_row_s8(out, row, (int)p->out_length), weights, channels, loop);
    }
}

#endif
