/* int8 depthwise convolution for cores with DSP instructions, NHWC, per-channel scales: output channel c sees input channel c only.

   How this works inside: output is computed in tiles, four channels at a time. The part of the input that a tile sees is first gathered
   in scratch, channel by channel, widened to int16 less the zero point, so that padding is 0 and rows of padding are passed over. A
   word then holds two neighbours of a row, (x0, x1), and SMLAD multiplies it with two weights of a kernel row. With stride 1, outputs in
   even columns take (w0, w1), (w2, 0) and those in odd columns (0, w0), (w1, w2) over the same words; with stride 2 all take the former.
   Four outputs share each load of a weight. What a tile of one channel needs of weights is widened in scratch, too.

   Cost in instructions a multiplication: 2.4 to 2.6 with 5x5 kernels, 1.9 to 2.5 with 7x7 and stride 1 (`make bench-layers`). In tiles of
   one row gathering takes twice as much as in tiles of several. For 3x3 kernels there is lichen_depthwise_3x3_s8_dsp.h.

   weights: for each channel the words for even columns, `tap_words` a kernel row, as bytes in the order in which SXTB16 widens them, two words
   at a time (ops/depthwise_conv2d_dsp.py). channels: for each channel its bias and how it is requantised.
   scratch: the tile's input, 4 [channels][rows][tile_pitch] words, then the weights of a channel. */
#ifndef LICHEN_DEPTHWISE_CONV2D_S8_DSP_H
#define LICHEN_DEPTHWISE_CONV2D_S8_DSP_H

#include "lichen_requantise_dsp.h"
#include "lichen_view.h"

typedef struct {
    int32_t in_length, out_length; /* elements from one row to the next */
    int16_t in_h, in_w, in_c;
    int16_t out_w, out_c; /* as many as in_c, at least four */
    int16_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left; /* no dilation; stride_w is 1 or 2 */
    int16_t tap_words;    /* words of weights that an output takes for a kernel row */
    int16_t weight_words; /* of a channel, widened; an even number */
    int16_t tile_rows, tile_columns, tile_pitch; /* a tile's outputs, and the words from one row of its input to the next */
    int8_t in_zero, out_zero, low, high;
    int8_t finish; /* what is known of all ratios of scales, if the clamp is that of int8; else LICHEN_ANY_RATIO */
} lichen_depthwise_conv2d_s8_dsp_params;

/* A row of a tile's outputs, the same for all channels: the words where its input and weights begin in those of a channel, the kernel rows
   inside the input, and the element where it begins in the output. */
typedef struct {
    int32_t x, w, rows, out;
} lichen_depthwise_row_dsp;

/* A tile of one channel. The numbers are where members lie for the loops in assembly, which have no register to spare. */
typedef struct {
    const uint32_t *x, *w;                     /*  0,  4: what the next outputs see of it, and its weights */
    int32_t kernel_rows, bias;                 /*  8, 12 */
    lichen_scale_dsp scale;                    /* 16, 20 */
    int32_t zero;                              /* 24 */
    int8_t *out;                               /* 28: the next output */
    int32_t step, last;                        /* 32, 36: from the first of several outputs to the second, and to the last */
    int32_t pitch;                             /* 40: bytes from one row of the input to the next */
    const lichen_depthwise_row_dsp *row, *end; /* 44, 48: the next row */
    const uint32_t *x_base, *w_base;           /* 52, 56 */
    int8_t *out_base;                          /* 60 */
    int32_t span;                              /* 64: the bytes from the first output of a row to behind the last four */
    int8_t *out_end;                           /* 68: where these four end */
    int32_t rest, rest_last;                   /* 72, 76: whether one or two are left; where the last of them lies */
    const lichen_depthwise_row_dsp *rows;      /* 80 */
    int32_t words;                             /* 84: of weights that an output takes for a kernel row */
    int32_t second, third;                     /* 88, 92: from the first output to these */
    const lichen_depthwise_conv2d_s8_dsp_params *p;
    int columns, is_split; /* whether they are split into fours and a rest, for all channels alike */
} lichen_depthwise_tile_dsp;

/* Words of weights for which there are loops of their own. */
enum { LICHEN_DEPTHWISE_ANY, LICHEN_DEPTHWISE_3 = 3, LICHEN_DEPTHWISE_4 };

typedef void lichen_depthwise_loop_dsp(lichen_depthwise_tile_dsp *tile);

/* acc[i] = bias + the products of `rows` kernel rows, for `count` outputs beside each other: 4 or 2. */
LICHEN_INLINE void lichen_depthwise_sums_dsp(const uint32_t *x, const uint32_t *w, int rows, int pitch, int32_t bias, int32_t *acc,
    int count, int words, int stride)
{
    acc[0] = acc[1] = acc[2] = acc[3] = bias;
    for (; rows > 0; rows--, x += pitch) {
        for (int j = 0; j < words; j++, w += 3 - stride) {
            if (stride == 1) {
                acc[0] = lichen_smlad(x[j], w[0], acc[0]);
                acc[1] = lichen_smlad(x[j], w[1], acc[1]);
                if (count == 4) {
                    acc[2] = lichen_smlad(x[j + 1], w[0], acc[2]);
                    acc[3] = lichen_smlad(x[j + 1], w[1], acc[3]);
                }
            } else {
                acc[0] = lichen_smlad(x[j], w[0], acc[0]);
                acc[1] = lichen_smlad(x[j + 1], w[0], acc[1]);
                if (count == 4) {
                    acc[2] = lichen_smlad(x[j + 2], w[0], acc[2]);
                    acc[3] = lichen_smlad(x[j + 3], w[0], acc[3]);
                }
            }
        }
    }
}

/* Requantises and stores the first `count` of four sums in any case. */
LICHEN_LOOP void lichen_depthwise_store_dsp(const lichen_depthwise_tile_dsp *tile, const int32_t *acc, int8_t *out, int count)
{
    const lichen_depthwise_conv2d_s8_dsp_params *p = tile->p;
    for (int i = 0; i < count; i++, out += p->in_c) {
        const int32_t x = lichen_requantise_dsp(tile->scale, acc[i], p->out_zero, p->finish);
        *out = lichen_narrow_dsp(x, p->low, p->high);
    }
}

/* All outputs of a tile's channel. */
LICHEN_INLINE void lichen_depthwise_outputs_dsp(const lichen_depthwise_tile_dsp *tile, int words, int stride)
{
    const lichen_depthwise_conv2d_s8_dsp_params *p = tile->p;
    const int pitch = p->tile_pitch, step = p->in_c;
    for (const lichen_depthwise_row_dsp *row = tile->rows; row < tile->end; row++) {
        const uint32_t *x = tile->x_base + row->x;
        int8_t *out = tile->out_base + row->out;
        int32_t acc[4];
        int left = tile->columns;
        for (; left >= 3; left -= 4, x += 2 * stride, out += 4 * step) {
            lichen_depthwise_sums_dsp(x, tile->w_base + row->w, row->rows, pitch, tile->bias, acc, 4, words, stride);
            lichen_depthwise_store_dsp(tile, acc, out, left < 4 ? left : 4);
        }
        if (left > 0) {
            lichen_depthwise_sums_dsp(x, tile->w_base + row->w, row->rows, pitch, tile->bias, acc, 2, words, stride);
            lichen_depthwise_store_dsp(tile, acc, out, left);
        }
    }
}

#if LICHEN_HAS_DSP && defined(__OPTIMIZE__)

/* How this works inside: r0 and r1 point to the input and the weights of a kernel row, of which r2 are left. r3 to r6 are the sums of four
   outputs, r8 to r10 and r12 weights, r11 and lr words of the input. So all registers are used, and GCC 12 would move about what has none. */
#define LICHEN_DEPTHWISE_MAC(acc, x, w) "smlad " acc ", " x ", " w ", " acc "\n\t"
#define LICHEN_DEPTHWISE_HIGH(acc) "smmlar " acc ", " acc ", r8, " acc "\n\t"
#define LICHEN_DEPTHWISE_AWAY(acc) "add " acc ", " acc ", " acc ", asr #31\n\t"
#define LICHEN_DEPTHWISE_SHIFT(acc) "smmlsr " acc ", " acc ", r9, r10\n\tssat " acc ", #8, " acc "\n\t"
#define LICHEN_DEPTHWISE_UP(acc) LICHEN_DEPTHWISE_HIGH(acc) LICHEN_DEPTHWISE_SHIFT(acc)
#define LICHEN_DEPTHWISE_BOTH_WAYS(acc) LICHEN_DEPTHWISE_HIGH(acc) LICHEN_DEPTHWISE_AWAY(acc) LICHEN_DEPTHWISE_SHIFT(acc)

/* Begins a row of outputs. */
#define LICHEN_DEPTHWISE_ROW                                                                                            \
    "ldr r8, [%[s], #44]\n\tldm r8!, {r0, r1, r2, r3}\n\tldrd r9, r10, [%[s], #52]\n\tldrd r11, r12, [%[s], #60]\n\t"   \
    "add r0, r9, r0, lsl #2\n\tadd r1, r10, r1, lsl #2\n\tadd r11, r11, r3\n\tadd r12, r12, r11\n\t"                    \
    "str r8, [%[s], #44]\n\tstm %[s], {r0, r1, r2}\n\tstr r11, [%[s], #28]\n\tstr r12, [%[s], #68]\n\t"

/* The products of all kernel rows. */
#define LICHEN_DEPTHWISE_BEGIN "ldm %[s], {r0, r1, r2, r3}\n\tmov r4, r3\n\tmov r5, r3\n\tmov r6, r3\n"
#define LICHEN_DEPTHWISE_ALL(row) "2:\n\t" row "ldr r11, [%[s], #40]\n\tsubs r2, r2, #1\n\tadd r0, r0, r11\n\tbne 2b\n\t"

/* Stores four outputs and goes on to the next four of the row, if there are any; or two. Where an output is one too many, its place is
   that of the one before, which is stored later. */
#define LICHEN_DEPTHWISE_END4(finish, by)                                                                              \
    "ldrd r8, r9, [%[s], #16]\n\tldrd r10, r11, [%[s], #24]\n\tldrd r0, r1, [%[s], #32]\n\tldr r2, [%[s]]\n\t"           \
    finish("r3") finish("r4") finish("r5") finish("r6")                                                               \
    "strb r6, [r11, r1]\n\tstrb r3, [r11]\n\tstrb r4, [r11, r0]\n\tstrb r5, [r11, r0, lsl #1]\n\t"                    \
    "ldr r1, [%[s], #68]\n\tadd r11, r11, r0, lsl #2\n\tadd r2, r2, #" by "\n\tstr r11, [%[s], #28]\n\t"               \
    "str r2, [%[s]]\n\tcmp r11, r1\n\tbne 1b\n\t"
#define LICHEN_DEPTHWISE_END_ANY(finish, by)                                                                           \
    "ldrd r8, r9, [%[s], #16]\n\tldrd r10, r11, [%[s], #24]\n\tldrd r0, r1, [%[s], #32]\n\tldr r2, [%[s]]\n\t"           \
    finish("r3") finish("r4") finish("r5") finish("r6")                                                               \
    "ldrd r8, r9, [%[s], #88]\n\tstrb r6, [r11, r1]\n\tstrb r5, [r11, r9]\n\tstrb r4, [r11, r8]\n\tstrb r3, [r11]\n\t"   \
    "ldr r1, [%[s], #68]\n\tadd r11, r11, r0, lsl #2\n\tadd r2, r2, #" by "\n\tstr r11, [%[s], #28]\n\t"               \
    "str r2, [%[s]]\n\tcmp r11, r1\n\tbne 1b\n\t"
#define LICHEN_DEPTHWISE_END2(finish)                                                                                  \
    "ldrd r8, r9, [%[s], #16]\n\tldrd r10, r11, [%[s], #24]\n\tldr r1, [%[s], #76]\n\t" finish("r3") finish("r4")       \
    "strb r4, [r11, r1]\n\tstrb r3, [r11]\n\t"

/* All rows: fours, of which there may be none, then one or two outputs. */
#define LICHEN_DEPTHWISE_ROWS(four, two)                                                                                \
    __asm__ volatile("ldr r0, [%[s], #80]\n\tstr r0, [%[s], #44]\n"                                                     \
                     "0:\n\t" LICHEN_DEPTHWISE_ROW "cmp r11, r12\n\tbeq 5f\n\t" four                                   \
                     "5:\n\tldr r0, [%[s], #72]\n\tcmp r0, #0\n\tbeq 7f\n\t" two                                       \
                     "7:\n\tldrd r0, r1, [%[s], #44]\n\tcmp r0, r1\n\tbne 0b"                                            \
                     :                                                                                                  \
                     : [s] "r"(tile)                                                                                    \
                     : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory")
#define LICHEN_DEPTHWISE_FOURS(row, finish, by) \
    "1:\n\t" LICHEN_DEPTHWISE_BEGIN LICHEN_DEPTHWISE_ALL(row) LICHEN_DEPTHWISE_END4(finish, by)
#define LICHEN_DEPTHWISE_FOURS_ANY(row, finish, by) \
    "1:\n\t" LICHEN_DEPTHWISE_BEGIN LICHEN_DEPTHWISE_ALL(row) LICHEN_DEPTHWISE_END_ANY(finish, by)
#define LICHEN_DEPTHWISE_NONE(row, finish) ""
#define LICHEN_DEPTHWISE_TWO(row, finish) LICHEN_DEPTHWISE_BEGIN LICHEN_DEPTHWISE_ALL(row) LICHEN_DEPTHWISE_END2(finish)

/* A kernel row of so many words, for four outputs or two, with stride 1 or 2. */
#define LICHEN_DEPTHWISE_4_OF_3_BY_1 \
    "ldm r1!, {r8, r9, r10, r12}\n\t" "ldrd r11, lr, [r0, #0]\n\t" \
    LICHEN_DEPTHWISE_MAC("r3", "r11", "r8") LICHEN_DEPTHWISE_MAC("r4", "r11", "r9") LICHEN_DEPTHWISE_MAC("r3", "lr", "r10") LICHEN_DEPTHWISE_MAC("r4", "lr", "r12") \
    LICHEN_DEPTHWISE_MAC("r5", "lr", "r8") LICHEN_DEPTHWISE_MAC("r6", "lr", "r9") "ldrd r11, lr, [r0, #8]\n\t" \
    LICHEN_DEPTHWISE_MAC("r5", "r11", "r10") LICHEN_DEPTHWISE_MAC("r6", "r11", "r12") "ldrd r8, r9, [r1], #8\n\t" \
    LICHEN_DEPTHWISE_MAC("r3", "r11", "r8") LICHEN_DEPTHWISE_MAC("r4", "r11", "r9") LICHEN_DEPTHWISE_MAC("r5", "lr", "r8") LICHEN_DEPTHWISE_MAC("r6", "lr", "r9")
#define LICHEN_DEPTHWISE_4_OF_4_BY_1 \
    "ldm r1!, {r8, r9, r10, r12}\n\t" "ldrd r11, lr, [r0, #0]\n\t" \
    LICHEN_DEPTHWISE_MAC("r3", "r11", "r8") LICHEN_DEPTHWISE_MAC("r4", "r11", "r9") LICHEN_DEPTHWISE_MAC("r3", "lr", "r10") LICHEN_DEPTHWISE_MAC("r4", "lr", "r12") \
    LICHEN_DEPTHWISE_MAC("r5", "lr", "r8") LICHEN_DEPTHWISE_MAC("r6", "lr", "r9") "ldrd r11, lr, [r0, #8]\n\t" \
    LICHEN_DEPTHWISE_MAC("r5", "r11", "r10") LICHEN_DEPTHWISE_MAC("r6", "r11", "r12") "ldm r1!, {r8, r9, r10, r12}\n\t" \
    LICHEN_DEPTHWISE_MAC("r3", "r11", "r8") LICHEN_DEPTHWISE_MAC("r4", "r11", "r9") "ldr r11, [r0, #16]\n\t" \
    LICHEN_DEPTHWISE_MAC("r3", "lr", "r10") LICHEN_DEPTHWISE_MAC("r4", "lr", "r12") LICHEN_DEPTHWISE_MAC("r5", "lr", "r8") LICHEN_DEPTHWISE_MAC("r6", "lr", "r9") \
    LICHEN_DEPTHWISE_MAC("r5", "r11", "r10") LICHEN_DEPTHWISE_MAC("r6", "r11", "r12")
#define LICHEN_DEPTHWISE_2_OF_3_BY_1 \
    "ldm r1!, {r8, r9, r10, r12}\n\t" "ldrd r11, lr, [r0, #0]\n\t" \
    LICHEN_DEPTHWISE_MAC("r3", "r11", "r8") LICHEN_DEPTHWISE_MAC("r4", "r11", "r9") LICHEN_DEPTHWISE_MAC("r3", "lr", "r10") LICHEN_DEPTHWISE_MAC("r4", "lr", "r12") \
    "ldr r11, [r0, #8]\n\t" "ldrd r8, r9, [r1], #8\n\t" LICHEN_DEPTHWISE_MAC("r3", "r11", "r8") LICHEN_DEPTHWISE_MAC("r4", "r11", "r9")
#define LICHEN_DEPTHWISE_2_OF_4_BY_1 \
    "ldm r1!, {r8, r9, r10, r12}\n\t" "ldrd r11, lr, [r0, #0]\n\t" \
    LICHEN_DEPTHWISE_MAC("r3", "r11", "r8") LICHEN_DEPTHWISE_MAC("r4", "r11", "r9") LICHEN_DEPTHWISE_MAC("r3", "lr", "r10") LICHEN_DEPTHWISE_MAC("r4", "lr", "r12") \
    "ldrd r11, lr, [r0, #8]\n\t" "ldm r1!, {r8, r9, r10, r12}\n\t" \
    LICHEN_DEPTHWISE_MAC("r3", "r11", "r8") LICHEN_DEPTHWISE_MAC("r4", "r11", "r9") LICHEN_DEPTHWISE_MAC("r3", "lr", "r10") LICHEN_DEPTHWISE_MAC("r4", "lr", "r12")
#define LICHEN_DEPTHWISE_4_OF_3_BY_2 \
    "ldm r1!, {r8, r9, r10}\n\t" "ldrd r11, lr, [r0, #0]\n\t" \
    LICHEN_DEPTHWISE_MAC("r3", "r11", "r8") LICHEN_DEPTHWISE_MAC("r3", "lr", "r9") LICHEN_DEPTHWISE_MAC("r4", "lr", "r8") \
    "ldrd r12, r11, [r0, #8]\n\t" \
    LICHEN_DEPTHWISE_MAC("r3", "r12", "r10") LICHEN_DEPTHWISE_MAC("r4", "r12", "r9") LICHEN_DEPTHWISE_MAC("r5", "r12", "r8") LICHEN_DEPTHWISE_MAC("r4", "r11", "r10") \
    LICHEN_DEPTHWISE_MAC("r5", "r11", "r9") LICHEN_DEPTHWISE_MAC("r6", "r11", "r8") "ldrd r12, r11, [r0, #16]\n\t" \
    LICHEN_DEPTHWISE_MAC("r5", "r12", "r10") LICHEN_DEPTHWISE_MAC("r6", "r12", "r9") LICHEN_DEPTHWISE_MAC("r6", "r11", "r10")
#define LICHEN_DEPTHWISE_4_OF_4_BY_2 \
    "ldm r1!, {r8, r9, r10, r12}\n\t" "ldrd r11, lr, [r0, #0]\n\t" \
    LICHEN_DEPTHWISE_MAC("r3", "r11", "r8") LICHEN_DEPTHWISE_MAC("r3", "lr", "r9") LICHEN_DEPTHWISE_MAC("r4", "lr", "r8") \
    "ldr r11, [r0, #8]\n\t" \
    LICHEN_DEPTHWISE_MAC("r3", "r11", "r10") LICHEN_DEPTHWISE_MAC("r4", "r11", "r9") LICHEN_DEPTHWISE_MAC("r5", "r11", "r8") \
    "ldrd r11, lr, [r0, #12]\n\t" \
    LICHEN_DEPTHWISE_MAC("r3", "r11", "r12") LICHEN_DEPTHWISE_MAC("r4", "r11", "r10") LICHEN_DEPTHWISE_MAC("r5", "r11", "r9") LICHEN_DEPTHWISE_MAC("r6", "r11", "r8") \
    LICHEN_DEPTHWISE_MAC("r4", "lr", "r12") LICHEN_DEPTHWISE_MAC("r5", "lr", "r10") LICHEN_DEPTHWISE_MAC("r6", "lr", "r9") \
    "ldrd r11, lr, [r0, #20]\n\t" \
    LICHEN_DEPTHWISE_MAC("r5", "r11", "r12") LICHEN_DEPTHWISE_MAC("r6", "r11", "r10") LICHEN_DEPTHWISE_MAC("r6", "lr", "r12")
#define LICHEN_DEPTHWISE_2_OF_3_BY_2 \
    "ldm r1!, {r8, r9, r10}\n\t" "ldrd r11, lr, [r0, #0]\n\t" \
    LICHEN_DEPTHWISE_MAC("r3", "r11", "r8") LICHEN_DEPTHWISE_MAC("r3", "lr", "r9") LICHEN_DEPTHWISE_MAC("r4", "lr", "r8") \
    "ldrd r11, lr, [r0, #8]\n\t" \
    LICHEN_DEPTHWISE_MAC("r3", "r11", "r10") LICHEN_DEPTHWISE_MAC("r4", "r11", "r9") LICHEN_DEPTHWISE_MAC("r4", "lr", "r10")
#define LICHEN_DEPTHWISE_2_OF_4_BY_2 \
    "ldm r1!, {r8, r9, r10, r12}\n\t" "ldrd r11, lr, [r0, #0]\n\t" \
    LICHEN_DEPTHWISE_MAC("r3", "r11", "r8") LICHEN_DEPTHWISE_MAC("r3", "lr", "r9") LICHEN_DEPTHWISE_MAC("r4", "lr", "r8") \
    "ldrd r11, lr, [r0, #8]\n\t" \
    LICHEN_DEPTHWISE_MAC("r3", "r11", "r10") LICHEN_DEPTHWISE_MAC("r4", "r11", "r9") LICHEN_DEPTHWISE_MAC("r3", "lr", "r12") LICHEN_DEPTHWISE_MAC("r4", "lr", "r10") \
    "ldr r11, [r0, #16]\n\t" LICHEN_DEPTHWISE_MAC("r4", "r11", "r12")

/* The same of any number of words, for four outputs of which up to three are too many: then it reads up to two words too far. */
#define LICHEN_DEPTHWISE_4_OF_ANY_BY_1                                                                      \
    "mov lr, r0\n\tldr r12, [%[s], #84]\n\tldr r11, [lr], #4\n"                                            \
    "3:\n\tldrd r8, r9, [r1], #8\n\tmov r10, r11\n\tldr r11, [lr], #4\n\tsubs r12, r12, #1\n\t"             \
    LICHEN_DEPTHWISE_MAC("r3", "r10", "r8") LICHEN_DEPTHWISE_MAC("r4", "r10", "r9")                         \
    LICHEN_DEPTHWISE_MAC("r5", "r11", "r8") LICHEN_DEPTHWISE_MAC("r6", "r11", "r9") "bne 3b\n\t"
#define LICHEN_DEPTHWISE_4_OF_ANY_BY_2                                                                      \
    "mov lr, r0\n\tldr r12, [%[s], #84]\n"                                                                 \
    "3:\n\tldr r8, [r1], #4\n\tldrd r10, r11, [lr]\n\tsubs r12, r12, #1\n\t"                               \
    LICHEN_DEPTHWISE_MAC("r3", "r10", "r8") LICHEN_DEPTHWISE_MAC("r4", "r11", "r8")                         \
    "ldrd r10, r11, [lr, #8]\n\tadd lr, lr, #4\n\t"                                                        \
    LICHEN_DEPTHWISE_MAC("r5", "r10", "r8") LICHEN_DEPTHWISE_MAC("r6", "r11", "r8") "bne 3b\n\t"

/* The loop for so many words, stride and finish, all known at compile time. */
#define LICHEN_DEPTHWISE_CASE(words_, stride_, fours, two, by)                                                                   \
    if (words == LICHEN_DEPTHWISE_##words_ && stride == stride_ && finish == LICHEN_CLAMPED_AT_ZERO) {                                              \
        LICHEN_DEPTHWISE_ROWS(fours(LICHEN_DEPTHWISE_4_OF_##words_##_BY_##stride_, LICHEN_DEPTHWISE_UP, by),                     \
            two(LICHEN_DEPTHWISE_2_OF_##words_##_BY_##stride_, LICHEN_DEPTHWISE_UP));                           \
    } else if (words == LICHEN_DEPTHWISE_##words_ && stride == stride_) {                                                        \
        LICHEN_DEPTHWISE_ROWS(fours(LICHEN_DEPTHWISE_4_OF_##words_##_BY_##stride_, LICHEN_DEPTHWISE_BOTH_WAYS, by),              \
            two(LICHEN_DEPTHWISE_2_OF_##words_##_BY_##stride_, LICHEN_DEPTHWISE_BOTH_WAYS));                    \
    }
LICHEN_INLINE void lichen_depthwise_asm_dsp(lichen_depthwise_tile_dsp *tile, int words, int stride, int finish)
{
    LICHEN_DEPTHWISE_CASE(3, 1, LICHEN_DEPTHWISE_FOURS, LICHEN_DEPTHWISE_TWO, "8")
    LICHEN_DEPTHWISE_CASE(4, 1, LICHEN_DEPTHWISE_FOURS, LICHEN_DEPTHWISE_TWO, "8")
    LICHEN_DEPTHWISE_CASE(3, 2, LICHEN_DEPTHWISE_FOURS, LICHEN_DEPTHWISE_TWO, "16")
    LICHEN_DEPTHWISE_CASE(4, 2, LICHEN_DEPTHWISE_FOURS, LICHEN_DEPTHWISE_TWO, "16")
    LICHEN_DEPTHWISE_CASE(ANY, 1, LICHEN_DEPTHWISE_FOURS_ANY, LICHEN_DEPTHWISE_NONE, "8")
    LICHEN_DEPTHWISE_CASE(ANY, 2, LICHEN_DEPTHWISE_FOURS_ANY, LICHEN_DEPTHWISE_NONE, "16")
}

/* All outputs of a tile's channel, for ratios below 1/2. Three columns are four, of which the last is one too many; for any words, a rest of
   one or two as well. */
LICHEN_INLINE void lichen_depthwise_fast_dsp(lichen_depthwise_tile_dsp *tile, int words, int stride, int finish)
{
    const int step = tile->step, least = words == LICHEN_DEPTHWISE_ANY ? 1 : 3;
    int left = tile->columns;
    while (left > 0) {
        if (tile->is_split) { /* in one, for the channel before */
            left = 0;
        } else {
            const int rest = left % 4, is_rest = left < 4 && left >= least, fours = is_rest ? 4 : left - rest;
            tile->second = is_rest && left == 1 ? 0 : step;
            tile->third = is_rest && left < 3 ? tile->second : 2 * step;
            tile->last = is_rest ? tile->third : 3 * step;
            tile->span = fours * step;
            tile->rest = rest > 0 && rest < least;
            tile->rest_last = rest == 1 ? 0 : step;
            tile->is_split = left == tile->columns && (is_rest || rest < least);
            left = tile->is_split || is_rest ? 0 : rest;
        }
        lichen_depthwise_asm_dsp(tile, words, stride, finish);
        if (left > 0) {
            tile->x_base += (tile->columns - left) / 2 * stride;
            tile->out_base += (tile->columns - left) * step;
        }
    }
}

#else

LICHEN_INLINE void lichen_depthwise_fast_dsp(lichen_depthwise_tile_dsp *tile, int words, int stride, int finish)
{
    (void)finish;
    lichen_depthwise_outputs_dsp(tile, words == LICHEN_DEPTHWISE_ANY ? tile->words : words, stride);
}

#endif

/* The loops: one for each width, stride and finish, shared by all layers; those that no layer takes are dropped. */
#define LICHEN_DEPTHWISE_LOOP(words, stride)                                                                     \
    LICHEN_LOOP void lichen_depthwise_##words##_by_##stride##_dsp(lichen_depthwise_tile_dsp *tile)               \
    {                                                                                                            \
        lichen_depthwise_fast_dsp(tile, LICHEN_DEPTHWISE_##words, stride, LICHEN_BELOW_HALF);                    \
    }                                                                                                            \
    LICHEN_LOOP void lichen_depthwise_##words##_by_##stride##_clamped_dsp(lichen_depthwise_tile_dsp *tile)       \
    {                                                                                                            \
        lichen_depthwise_fast_dsp(tile, LICHEN_DEPTHWISE_##words, stride, LICHEN_CLAMPED_AT_ZERO);               \
    }
LICHEN_DEPTHWISE_LOOP(3, 1)
LICHEN_DEPTHWISE_LOOP(4, 1)
LICHEN_DEPTHWISE_LOOP(ANY, 1)
LICHEN_DEPTHWISE_LOOP(3, 2)
LICHEN_DEPTHWISE_LOOP(4, 2)
LICHEN_DEPTHWISE_LOOP(ANY, 2)

/* Any width and ratios. */
LICHEN_LOOP void lichen_depthwise_general_dsp(lichen_depthwise_tile_dsp *tile)
{
    lichen_depthwise_outputs_dsp(tile, tile->words, tile->p->stride_w);
}

/* The loop for a layer, known at compile time. To save flash, all widths and ratios below 1/2 share a loop. */
LICHEN_INLINE lichen_depthwise_loop_dsp *lichen_depthwise_loop_for_dsp(int words, int stride, int finish)
{
#if defined(LICHEN_OPTIMIZE_SPEED)
    const int is_clamped = finish == LICHEN_CLAMPED_AT_ZERO;
#define LICHEN_DEPTHWISE_TAKE(words_, stride_)                                                                           \
    if (words == words_ && stride == stride_ && !LICHEN_IS_ANY_RATIO(finish)) {                                        \
        return is_clamped ? lichen_depthwise_##words_##_by_##stride_##_clamped_dsp : lichen_depthwise_##words_##_by_##stride_##_dsp; \
    }
    LICHEN_DEPTHWISE_TAKE(3, 1)
    LICHEN_DEPTHWISE_TAKE(4, 1)
    LICHEN_DEPTHWISE_TAKE(3, 2)
    LICHEN_DEPTHWISE_TAKE(4, 2)
#else
    (void)words;
#endif
    (void)finish; /* where it is known that no layer is of any ratio */
    return LICHEN_IS_ANY_RATIO(finish) ? lichen_depthwise_general_dsp
           : stride == 1              ? lichen_depthwise_ANY_by_1_dsp
                                      : lichen_depthwise_ANY_by_2_dsp;
}

/* A word of each of four channels, those of the second one `plane` bytes further on, and so on. */
LICHEN_INLINE void lichen_depthwise_put_dsp(uint32_t *to, int plane, uint32_t word0, uint32_t word1, uint32_t word2, uint32_t word3)
{
    uint8_t *const bytes = (uint8_t *)to;
    memcpy(bytes, &word0, sizeof word0);
    memcpy(bytes + plane, &word1, sizeof word1);
    memcpy(bytes + 2 * plane, &word2, sizeof word2);
    memcpy(bytes + 3 * plane, &word3, sizeof word3);
}

/* `pairs` pairs of pixels of four channels, less the zero point. */
#if LICHEN_HAS_DSP && defined(__OPTIMIZE__)

LICHEN_INLINE void lichen_depthwise_pairs_dsp(const int8_t *from, int step, int pairs, uint32_t minus, uint32_t *to, int plane)
{
    const int plane3 = 3 * plane;
    uint32_t x0, x1, x2, x3, x4;
    __asm__ volatile("1:\n\t"
                     "ldr %[x0], [%[from]]\n\tldr %[x1], [%[from], %[step]]\n\tadd %[from], %[from], %[step], lsl #1\n\t"
                     "sxtab16 %[x2], %[minus], %[x0]\n\tsxtab16 %[x3], %[minus], %[x1]\n\t"
                     "sxtab16 %[x0], %[minus], %[x0], ror #8\n\tsxtab16 %[x1], %[minus], %[x1], ror #8\n\t"
                     "pkhbt %[x4], %[x2], %[x3], lsl #16\n\tpkhtb %[x2], %[x3], %[x2], asr #16\n\t"
                     "pkhbt %[x3], %[x0], %[x1], lsl #16\n\tpkhtb %[x0], %[x1], %[x0], asr #16\n\t"
                     "str %[x0], [%[to], %[plane3]]\n\tstr %[x2], [%[to], %[plane], lsl #1]\n\t"
                     "str %[x3], [%[to], %[plane]]\n\tstr %[x4], [%[to]], #4\n\t"
                     "subs %[pairs], %[pairs], #1\n\tbne 1b"
                     : [from] "+&r"(from), [to] "+&r"(to), [pairs] "+&r"(pairs), [x0] "=&r"(x0), [x1] "=&r"(x1), [x2] "=&r"(x2),
                     [x3] "=&r"(x3), [x4] "=&r"(x4)
                     : [step] "r"(step), [minus] "r"(minus), [plane] "r"(plane), [plane3] "r"(plane3)
                     : "cc", "memory");
}

#else

LICHEN_INLINE void lichen_depthwise_pairs_dsp(const int8_t *from, int step, int pairs, uint32_t minus, uint32_t *to, int plane)
{
    for (; pairs > 0; pairs--, from += 2 * step, to++) {
        const uint32_t x = lichen_load_word(from), y = lichen_load_word(from + step);
        const uint32_t even0 = lichen_sxtab16(minus, x), even1 = lichen_sxtab16(minus, y);
        const uint32_t odd0 = lichen_sxtab16_odd(minus, x), odd1 = lichen_sxtab16_odd(minus, y);
        lichen_depthwise_put_dsp(to, plane, lichen_pack_low(even0, even1), lichen_pack_low(odd0, odd1), lichen_pack_high(even0, even1),
            lichen_pack_high(odd0, odd1));
    }
}

#endif

/* The part of the input that a tile sees. */
typedef struct {
    lichen_view_s8 in;
    int length, first, last; /* of rows: elements, the first row, and the first behind */
    int offset, step;        /* the first pixel's element in a row, and from one to the next */
    int pixels, left;        /* how many pixels there are, and how much padding left of them */
    int pitch;
    uint32_t minus_zero;
} lichen_depthwise_input_dsp;

/* Four channels of it from channel c on. Their padding is zero, and is neither read nor written. */
LICHEN_LOOP void lichen_depthwise_gather_dsp(const lichen_depthwise_input_dsp *input, int c, uint32_t *to)
{
    const int step = input->step, is_odd = input->left & 1, pairs = (input->pixels - is_odd) / 2;
    const int plane = 4 * (input->last - input->first) * input->pitch;
    const uint32_t minus = input->minus_zero;
    to += input->left / 2;
    for (int y = input->first; y < input->last; y++, to += input->pitch) {
        const int8_t *from = lichen_window_row_s8(input->in, y, input->length) + input->offset + c;
        if (is_odd) {
            const uint32_t x = lichen_load_word(from), even = lichen_sxtab16(minus, x), odd = lichen_sxtab16_odd(minus, x);
            lichen_depthwise_put_dsp(to, plane, even << 16, odd << 16, even & 0xffff0000u, odd & 0xffff0000u);
            from += step;
        }
        if (pairs > 0) {
            lichen_depthwise_pairs_dsp(from, step, pairs, minus, to + is_odd, plane);
        }
        if (is_odd + 2 * pairs < input->pixels) {
            const uint32_t x = lichen_load_word(from + 2 * pairs * step), even = lichen_sxtab16(minus, x);
            const uint32_t odd = lichen_sxtab16_odd(minus, x);
            lichen_depthwise_put_dsp(to + is_odd + pairs, plane, even & 0xffffu, odd & 0xffffu, even >> 16, odd >> 16);
        }
    }
}

/* Two words of weights as they lie in flash: their first weights, then their second ones. */
LICHEN_INLINE const int8_t *lichen_depthwise_two_words_dsp(const int8_t *from, uint32_t *first, uint32_t *second)
{
    const uint32_t bytes = lichen_load_word(from);
    *first = lichen_sxtb16(bytes);
    *second = lichen_sxtb16_odd(bytes);
    return from + 4;
}

/* The weights of a channel as `count` words; returns those of the next channel. With stride 1 each word (w2, w3) is
   followed by the one for odd columns, (w1, w2). The last word of a row ends in zero, with which the first such word of the next begins. */
LICHEN_INLINE const int8_t *lichen_depthwise_widen_dsp(const int8_t *from, int count, int stride, uint32_t *to)
{
    uint32_t before = 0, first, second;
    for (const uint32_t *const end = to + count; to < end;) {
        from = lichen_depthwise_two_words_dsp(from, &first, &second);
        if (stride == 1) {
            to[0] = first;
            to[1] = before >> 16 | first << 16;
            to[2] = second;
            to[3] = first >> 16 | second << 16;
            before = second;
            to += 4;
        } else {
            to[0] = first;
            to[1] = second;
            to += 2;
        }
    }
    return from;
}

/* Rows [row_begin, row_end), tile by tile. */
LICHEN_LOOP void lichen_depthwise_tiles_dsp(const lichen_depthwise_conv2d_s8_dsp_params *p, lichen_view_s8 in, lichen_view_s8 out,
    const int8_t *weights, const int32_t *channels, int8_t *scratch, int row_begin, int row_end, lichen_depthwise_loop_dsp *loop)
{
    const int row_words = p->tap_words * (p->stride_w == 1 ? 2 : 1);
    lichen_depthwise_row_dsp *const rows = (lichen_depthwise_row_dsp *)(void *)scratch;
    uint32_t *const w = (uint32_t *)(void *)(rows + p->tile_rows), *const x = w + p->weight_words;
    lichen_depthwise_input_dsp input;
    lichen_depthwise_tile_dsp tile;
    input.in = in;
    input.length = (int)p->in_length;
    input.step = p->in_c;
    input.pitch = p->tile_pitch;
    input.minus_zero = lichen_lanes(-p->in_zero, -p->in_zero);
    tile.p = p;
    tile.zero = p->out_zero;
    tile.step = p->in_c;
    tile.pitch = 4 * p->tile_pitch;
    tile.rows = rows;
    tile.words = p->tap_words;
    tile.w_base = w;
    for (int row = row_begin; row < row_end; row += p->tile_rows) {
        const int count = row_end - row < p->tile_rows ? row_end - row : p->tile_rows;
        int top = row * p->stride_h - p->pad_top, bottom = top + p->kernel_h;
        input.first = top < 0 ? 0 : top;
        for (int i = 0; i < count; i++, top += p->stride_h, bottom += p->stride_h) {
            const int begin = top < 0 ? 0 : top;
            input.last = bottom < p->in_h ? bottom : p->in_h;
            rows[i].x = (begin - input.first) * p->tile_pitch;
            rows[i].w = (begin - top) * row_words;
            rows[i].rows = input.last - begin;
            rows[i].out = (int32_t)(lichen_row_s8(out, row + i, (int)p->out_length) - out.data);
        }
        tile.end = rows + count;
        for (int column = 0; column < p->out_w; column += p->tile_columns) {
            const int plane = (input.last - input.first) * p->tile_pitch;
            const int left = column * p->stride_w - p->pad_left, begin = left < 0 ? 0 : left, end = left + 2 * p->tile_pitch;
            input.offset = begin * p->in_c;
            input.left = begin - left;
            input.pixels = (end < p->in_w ? end : p->in_w) - begin;
            tile.columns = p->out_w - column < p->tile_columns ? p->out_w - column : p->tile_columns;
            tile.is_split = 0;
            memset(x, 0, (size_t)(4 * plane) * sizeof *x);
            for (int c = 0; c < p->in_c; c += 4) {
                /* The last four are computed again in part. */
                const int group = c + 4 <= p->in_c ? c : p->in_c - 4;
                lichen_depthwise_gather_dsp(&input, group, x);
                const int8_t *taps = weights + group * p->weight_words * (p->stride_w == 1 ? 1 : 2);
                for (int k = group; k < group + 4; k++) {
                    taps = lichen_depthwise_widen_dsp(taps, p->weight_words, p->stride_w, w);
                    tile.x_base = x + (k - group) * plane;
                    tile.out_base = out.data + column * p->in_c + k;
                    tile.bias = channels[3 * k];
                    tile.scale.doubled = channels[3 * k + 1];
                    tile.scale.shift = channels[3 * k + 2];
                    loop(&tile);
                }
            }
        }
    }
}

/* Inlined in any case, so that only the loops that are taken are there. */
LICHEN_INLINE void lichen_depthwise_conv2d_s8_dsp(const lichen_depthwise_conv2d_s8_dsp_params *p, lichen_view_s8 in, lichen_view_s8 out,
    const int8_t *weights, const int32_t *channels, int8_t *scratch, int row_begin, int row_end)
{
    lichen_depthwise_tiles_dsp(p, in, out, weights, channels, scratch, row_begin, row_end,
        lichen_depthwise_loop_for_dsp(p->tap_words, p->stride_w, p->finish));
}

#endif
