/* int8 depthwise convolution for cores with DSP instructions, NHWC, per-channel scales: output channel c sees input channel c only.

   How this works inside: output is computed in tiles, four channels at a time. The part of the input that a tile sees is first gathered
   in scratch, channel by channel, widened to int16 less the zero point, so that padding is 0 and rows of padding are passed over. A
   word then holds two neighbours of a row, (x0, x1), and SMLAD multiplies it with two weights of a kernel row. With stride 1, outputs in
   even columns take (w0, w1), (w2, 0) and those in odd columns (0, w0), (w1, w2) over the same words; with stride 2 all take the former.
   Four outputs share each load of a weight. What a tile of one channel needs of weights is widened in scratch, too.

   Cost of a 3x3 kernel, stride 1, in instructions an output: 9 to multiply, 3 to 6 to gather (less in higher tiles), 5 to requantise, 3 to
   store and to count; a 7x7 kernel multiplies in 40.

   weights: for each channel the words `tap_words` a kernel row, as bytes in the order in which SXTB16 widens them, two words at a time
   (ops/depthwise_conv2d_dsp.py). channels: for each channel its bias and how it is requantised.
   scratch: the tile's input, 4 [channels][rows][tile_pitch] words, then the weights of a channel. */
#ifndef LICHEN_DEPTHWISE_CONV2D_S8_DSP_H
#define LICHEN_DEPTHWISE_CONV2D_S8_DSP_H

#include "lichen_requantise_dsp.h"
#include "lichen_view.h"

typedef struct {
    int32_t bias;
    lichen_scale_dsp scale;
} lichen_depthwise_end_dsp;

typedef struct {
    int32_t in_length, out_length; /* elements from one row to the next */
    int16_t in_h, in_w, in_c;
    int16_t out_w, out_c; /* as many as in_c, at least four */
    int16_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left; /* no dilation; stride_w is 1 or 2 */
    int16_t in_zero, out_zero, low, high;
    int16_t finish;       /* what is known of all ratios of scales, if the clamp is that of int8; else LICHEN_ANY_RATIO */
    int16_t tap_words;    /* words of weights that an output takes for a kernel row */
    int16_t weight_words; /* of a channel, an even number */
    int16_t tile_rows, tile_columns, tile_pitch; /* a tile's outputs, and the words from one row of its input to the next */
} lichen_depthwise_conv2d_s8_dsp_params;

/* A row of a tile's outputs, the same for all channels: the words where its input and weights begin in those of a channel, the kernel rows
   inside the input, and the element where it begins in the output. */
typedef struct {
    int32_t x, w, rows, out;
} lichen_depthwise_row_dsp;

/* A tile of one channel. */
typedef struct {
    const lichen_depthwise_conv2d_s8_dsp_params *p;
    const lichen_depthwise_row_dsp *rows, *end;
    const uint32_t *x, *w;
    int8_t *out;
    int columns;
    lichen_depthwise_end_dsp channel;
} lichen_depthwise_tile_dsp;

typedef void lichen_depthwise_loop_dsp(const lichen_depthwise_tile_dsp *tile);

#if LICHEN_HAS_DSP && defined(__OPTIMIZE__)

/* What the loop over a row of outputs keeps in memory, for it has no register to spare. */
typedef struct {
    const uint32_t *x, *w;
    int32_t rows, bias; /* how many rows of the kernel; or, if three, the bytes from one row of the input to the next */
    int32_t doubled, shift, zero;
    int8_t *out;
    int32_t step; /* from an output to its neighbour */
    int8_t *end;
    int32_t pitch; /* bytes */
} lichen_depthwise_quads_dsp;

/* Four outputs at a time. r0 and r1 point to the input and the weights of a kernel row, r2 is the number of rows, r3 to r6 are the sums, r8
   to r10 and r12 weights, and r11 and lr the input: GCC 12 would have to move about what has no place. `rows` adds up the products;
   `by` is by how many bytes the input of the next four lies further on. */
#define LICHEN_QUAD_MAC(acc, x, w) "smlad " acc ", " x ", " w ", " acc "\n\t"
#define LICHEN_QUAD_HIGH(acc) "smmlar " acc ", " acc ", r8, " acc "\n\tadd " acc ", " acc ", " acc ", asr #31\n\t"
#define LICHEN_QUAD_SHIFT(acc) "smmlsr " acc ", " acc ", r9, r10\n\tssat " acc ", #8, " acc "\n\t"
#define LICHEN_QUADS(rows, by)                                                                                         \
    __asm__ volatile("1:\n\tldm %[quads], {r0, r1, r2, r3}\n\tmov r4, r3\n\tmov r5, r3\n\tmov r6, r3\n" rows           \
                     "ldrd r8, r9, [%[quads], #16]\n\tldrd r10, r11, [%[quads], #24]\n\tldrd r0, r1, [%[quads], #32]\n\t" \
                     LICHEN_QUAD_HIGH("r3") LICHEN_QUAD_HIGH("r4") LICHEN_QUAD_HIGH("r5") LICHEN_QUAD_HIGH("r6")       \
                     LICHEN_QUAD_SHIFT("r3") LICHEN_QUAD_SHIFT("r4") LICHEN_QUAD_SHIFT("r5") LICHEN_QUAD_SHIFT("r6")   \
                     "ldr r2, [%[quads]]\n\tstrb r3, [r11]\n\tstrb r4, [r11, r0]\n\tadd r11, r11, r0, lsl #1\n\t"       \
                     "strb r5, [r11]\n\tstrb r6, [r11, r0]\n\tadd r11, r11, r0, lsl #1\n\tadd r2, r2, #" by "\n\t"        \
                     "str r11, [%[quads], #28]\n\tstr r2, [%[quads]]\n\tcmp r11, r1\n\tbne 1b"                           \
                     :                                                                                                 \
                     : [quads] "r"(quads)                                                                              \
                     : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory")
#define LICHEN_QUAD_ROWS(row) \
    "2:\n\t" row "ldr r11, [%[quads], #40]\n\tsubs r2, r2, #1\n\tadd r0, r0, r11\n\tbne 2b\n\t"
#define LICHEN_QUAD_3_ROWS(row) "\t" row "add r0, r0, r2\n\t" row "add r0, r0, r2\n\t" row

/* A kernel row of so many words, with stride 1 or 2. */
#define LICHEN_QUAD_ROW_2_1 \
    "ldm r1!, {r8, r9, r10, r12}\n\t" \
    "ldrd r11, lr, [r0, #0]\n\t" \
    LICHEN_QUAD_MAC("r3", "r11", "r8") LICHEN_QUAD_MAC("r4", "r11", "r9") \
    "ldr r11, [r0, #8]\n\t" \
    LICHEN_QUAD_MAC("r3", "lr", "r10") LICHEN_QUAD_MAC("r4", "lr", "r12") LICHEN_QUAD_MAC("r5", "lr", "r8") LICHEN_QUAD_MAC("r6", "lr", "r9") \
    LICHEN_QUAD_MAC("r5", "r11", "r10") LICHEN_QUAD_MAC("r6", "r11", "r12")
#define LICHEN_QUAD_ROW_3_1 \
    "ldm r1!, {r8, r9, r10, r12}\n\t" \
    "ldrd r11, lr, [r0, #0]\n\t" \
    LICHEN_QUAD_MAC("r3", "r11", "r8") LICHEN_QUAD_MAC("r4", "r11", "r9") LICHEN_QUAD_MAC("r3", "lr", "r10") LICHEN_QUAD_MAC("r4", "lr", "r12") \
    LICHEN_QUAD_MAC("r5", "lr", "r8") LICHEN_QUAD_MAC("r6", "lr", "r9") \
    "ldrd r11, lr, [r0, #8]\n\t" \
    LICHEN_QUAD_MAC("r5", "r11", "r10") LICHEN_QUAD_MAC("r6", "r11", "r12") \
    "ldrd r8, r9, [r1], #8\n\t" \
    LICHEN_QUAD_MAC("r3", "r11", "r8") LICHEN_QUAD_MAC("r4", "r11", "r9") LICHEN_QUAD_MAC("r5", "lr", "r8") LICHEN_QUAD_MAC("r6", "lr", "r9")
#define LICHEN_QUAD_ROW_4_1 \
    "ldm r1!, {r8, r9, r10, r12}\n\t" \
    "ldrd r11, lr, [r0, #0]\n\t" \
    LICHEN_QUAD_MAC("r3", "r11", "r8") LICHEN_QUAD_MAC("r4", "r11", "r9") LICHEN_QUAD_MAC("r3", "lr", "r10") LICHEN_QUAD_MAC("r4", "lr", "r12") \
    LICHEN_QUAD_MAC("r5", "lr", "r8") LICHEN_QUAD_MAC("r6", "lr", "r9") \
    "ldrd r11, lr, [r0, #8]\n\t" \
    LICHEN_QUAD_MAC("r5", "r11", "r10") LICHEN_QUAD_MAC("r6", "r11", "r12") \
    "ldm r1!, {r8, r9, r10, r12}\n\t" \
    LICHEN_QUAD_MAC("r3", "r11", "r8") LICHEN_QUAD_MAC("r4", "r11", "r9") \
    "ldr r11, [r0, #16]\n\t" \
    LICHEN_QUAD_MAC("r3", "lr", "r10") LICHEN_QUAD_MAC("r4", "lr", "r12") LICHEN_QUAD_MAC("r5", "lr", "r8") LICHEN_QUAD_MAC("r6", "lr", "r9") \
    LICHEN_QUAD_MAC("r5", "r11", "r10") LICHEN_QUAD_MAC("r6", "r11", "r12")
#define LICHEN_QUAD_ROW_2_2 \
    "ldrd r8, r9, [r1], #8\n\t" \
    "ldrd r11, lr, [r0, #0]\n\t" \
    "ldrd r10, r12, [r0, #8]\n\t" \
    LICHEN_QUAD_MAC("r3", "r11", "r8") LICHEN_QUAD_MAC("r3", "lr", "r9") LICHEN_QUAD_MAC("r4", "lr", "r8") LICHEN_QUAD_MAC("r4", "r10", "r9") \
    LICHEN_QUAD_MAC("r5", "r10", "r8") \
    "ldr r11, [r0, #16]\n\t" \
    LICHEN_QUAD_MAC("r5", "r12", "r9") LICHEN_QUAD_MAC("r6", "r12", "r8") LICHEN_QUAD_MAC("r6", "r11", "r9")
#define LICHEN_QUAD_ROW_3_2 \
    "ldm r1!, {r8, r9, r10}\n\t" \
    "ldrd r11, lr, [r0, #0]\n\t" \
    LICHEN_QUAD_MAC("r3", "r11", "r8") LICHEN_QUAD_MAC("r3", "lr", "r9") LICHEN_QUAD_MAC("r4", "lr", "r8") \
    "ldrd r12, r11, [r0, #8]\n\t" \
    LICHEN_QUAD_MAC("r3", "r12", "r10") LICHEN_QUAD_MAC("r4", "r12", "r9") LICHEN_QUAD_MAC("r5", "r12", "r8") LICHEN_QUAD_MAC("r4", "r11", "r10") \
    LICHEN_QUAD_MAC("r5", "r11", "r9") LICHEN_QUAD_MAC("r6", "r11", "r8") \
    "ldrd r12, r11, [r0, #16]\n\t" \
    LICHEN_QUAD_MAC("r5", "r12", "r10") LICHEN_QUAD_MAC("r6", "r12", "r9") LICHEN_QUAD_MAC("r6", "r11", "r10")
#define LICHEN_QUAD_ROW_4_2 \
    "ldm r1!, {r8, r9, r10, r12}\n\t" \
    "ldrd r11, lr, [r0, #0]\n\t" \
    LICHEN_QUAD_MAC("r3", "r11", "r8") LICHEN_QUAD_MAC("r3", "lr", "r9") LICHEN_QUAD_MAC("r4", "lr", "r8") \
    "ldr r11, [r0, #8]\n\t" \
    LICHEN_QUAD_MAC("r3", "r11", "r10") LICHEN_QUAD_MAC("r4", "r11", "r9") LICHEN_QUAD_MAC("r5", "r11", "r8") \
    "ldrd r11, lr, [r0, #12]\n\t" \
    LICHEN_QUAD_MAC("r3", "r11", "r12") LICHEN_QUAD_MAC("r4", "r11", "r10") LICHEN_QUAD_MAC("r5", "r11", "r9") LICHEN_QUAD_MAC("r6", "r11", "r8") \
    LICHEN_QUAD_MAC("r4", "lr", "r12") LICHEN_QUAD_MAC("r5", "lr", "r10") LICHEN_QUAD_MAC("r6", "lr", "r9") \
    "ldrd r11, lr, [r0, #20]\n\t" \
    LICHEN_QUAD_MAC("r5", "r11", "r12") LICHEN_QUAD_MAC("r6", "r11", "r10") LICHEN_QUAD_MAC("r6", "lr", "r12")

LICHEN_INLINE void lichen_depthwise_quads_asm_dsp(lichen_depthwise_quads_dsp *quads, int words, int stride)
{
    const int is_unrolled = quads->rows == 3 && words == 2;
    quads->rows = is_unrolled ? quads->pitch : quads->rows;
    if (stride == 1 && words == 2 && is_unrolled) {
        LICHEN_QUADS(LICHEN_QUAD_3_ROWS(LICHEN_QUAD_ROW_2_1), "8");
    } else if (stride == 1 && words == 2) {
        LICHEN_QUADS(LICHEN_QUAD_ROWS(LICHEN_QUAD_ROW_2_1), "8");
    } else if (stride == 1 && words == 3) {
        LICHEN_QUADS(LICHEN_QUAD_ROWS(LICHEN_QUAD_ROW_3_1), "8");
    } else if (stride == 1 && words == 4) {
        LICHEN_QUADS(LICHEN_QUAD_ROWS(LICHEN_QUAD_ROW_4_1), "8");
    } else if (words == 2 && is_unrolled) {
        LICHEN_QUADS(LICHEN_QUAD_3_ROWS(LICHEN_QUAD_ROW_2_2), "16");
    } else if (words == 2) {
        LICHEN_QUADS(LICHEN_QUAD_ROWS(LICHEN_QUAD_ROW_2_2), "16");
    } else if (words == 3) {
        LICHEN_QUADS(LICHEN_QUAD_ROWS(LICHEN_QUAD_ROW_3_2), "16");
    } else {
        LICHEN_QUADS(LICHEN_QUAD_ROWS(LICHEN_QUAD_ROW_4_2), "16");
    }
}

/* The sums of four or two neighbours over `rows` kernel rows. Four sums, two words of weights, two of the input, and four registers to find
   them leave GCC 12 none to move them about, so it takes assembly to keep them where they are. */
#define LICHEN_DEPTHWISE_ASM(row)                                                                                               \
    __asm__("1:\n\t" row "add %[x], %[x], %[step]\n\tsubs %[rows], %[rows], #1\n\tbne 1b"                                      \
            : [a0] "+&r"(a0), [a1] "+&r"(a1), [a2] "+&r"(a2), [a3] "+&r"(a3), [x] "+&r"(x), [w] "+&r"(w), [rows] "+&r"(rows),   \
            [x0] "=&r"(x0), [x1] "=&r"(x1), [w0] "=&r"(w0), [w1] "=&r"(w1)                                                      \
            : [step] "r"(step)                                                                                                  \
            : "cc", "memory")
#define LICHEN_DEPTHWISE_MAC(acc, x, w) "smlad %[a" acc "], %[x" x "], %[w" w "], %[a" acc "]\n\t"
#define LICHEN_DEPTHWISE_X(i, offset) "ldr %[x" i "], [%[x], #" offset "]\n\t"
#define LICHEN_DEPTHWISE_X01(offset) "ldrd %[x0], %[x1], [%[x], #" offset "]\n\t"
#define LICHEN_DEPTHWISE_W01 "ldrd %[w0], %[w1], [%[w]], #8\n\t"
#define LICHEN_DEPTHWISE_W0 "ldr %[w0], [%[w]], #4\n\t"

/* Stride 1: a word of weights for even columns in w0, one for odd ones in w1; `near` is the input of outputs 0 and 1, `far` that of the others. */
#define LICHEN_DEPTHWISE_2_WITH(near) LICHEN_DEPTHWISE_MAC("0", near, "0") LICHEN_DEPTHWISE_MAC("1", near, "1")
#define LICHEN_DEPTHWISE_4_WITH(near, far) \
    LICHEN_DEPTHWISE_2_WITH(near) LICHEN_DEPTHWISE_MAC("2", far, "0") LICHEN_DEPTHWISE_MAC("3", far, "1")
#define LICHEN_DEPTHWISE_4_OF_2                                                            \
    LICHEN_DEPTHWISE_W01 LICHEN_DEPTHWISE_X01("0") LICHEN_DEPTHWISE_4_WITH("0", "1")       \
    LICHEN_DEPTHWISE_W01 LICHEN_DEPTHWISE_X("0", "8") LICHEN_DEPTHWISE_4_WITH("1", "0")
#define LICHEN_DEPTHWISE_4_OF_3 \
    LICHEN_DEPTHWISE_4_OF_2 LICHEN_DEPTHWISE_W01 LICHEN_DEPTHWISE_X("1", "12") LICHEN_DEPTHWISE_4_WITH("0", "1")
#define LICHEN_DEPTHWISE_4_OF_4 \
    LICHEN_DEPTHWISE_4_OF_3 LICHEN_DEPTHWISE_W01 LICHEN_DEPTHWISE_X("0", "16") LICHEN_DEPTHWISE_4_WITH("1", "0")
#define LICHEN_DEPTHWISE_2_OF_2 \
    LICHEN_DEPTHWISE_W01 LICHEN_DEPTHWISE_X01("0") LICHEN_DEPTHWISE_2_WITH("0") LICHEN_DEPTHWISE_W01 LICHEN_DEPTHWISE_2_WITH("1")
#define LICHEN_DEPTHWISE_2_OF_3 \
    LICHEN_DEPTHWISE_2_OF_2 LICHEN_DEPTHWISE_W01 LICHEN_DEPTHWISE_X("0", "8") LICHEN_DEPTHWISE_2_WITH("0")
#define LICHEN_DEPTHWISE_2_OF_4                                                                          \
    LICHEN_DEPTHWISE_2_OF_2 LICHEN_DEPTHWISE_W01 LICHEN_DEPTHWISE_X01("8") LICHEN_DEPTHWISE_2_WITH("0") \
    LICHEN_DEPTHWISE_W01 LICHEN_DEPTHWISE_2_WITH("1")

/* Stride 2: two words of weights for all columns in w0 and w1, and the words of the input in turn. */
#define LICHEN_DEPTHWISE_4_BY_2(x0, x2, x3, x4)                                                                  \
    LICHEN_DEPTHWISE_W01 LICHEN_DEPTHWISE_X01(x0) LICHEN_DEPTHWISE_MAC("0", "0", "0") LICHEN_DEPTHWISE_X("0", x2)    \
    LICHEN_DEPTHWISE_MAC("0", "1", "1") LICHEN_DEPTHWISE_MAC("1", "1", "0") LICHEN_DEPTHWISE_X("1", x3)              \
    LICHEN_DEPTHWISE_MAC("1", "0", "1") LICHEN_DEPTHWISE_MAC("2", "0", "0") LICHEN_DEPTHWISE_X("0", x4)              \
    LICHEN_DEPTHWISE_MAC("2", "1", "1") LICHEN_DEPTHWISE_MAC("3", "1", "0") LICHEN_DEPTHWISE_MAC("3", "0", "1")
#define LICHEN_DEPTHWISE_4_BY_2_OF_2 LICHEN_DEPTHWISE_4_BY_2("0", "8", "12", "16")
#define LICHEN_DEPTHWISE_4_BY_2_OF_3                                                                                 \
    LICHEN_DEPTHWISE_4_BY_2_OF_2 LICHEN_DEPTHWISE_W0 LICHEN_DEPTHWISE_MAC("1", "1", "0") LICHEN_DEPTHWISE_MAC("2", "0", "0") \
    LICHEN_DEPTHWISE_X("0", "8") LICHEN_DEPTHWISE_X("1", "20") LICHEN_DEPTHWISE_MAC("0", "0", "0") LICHEN_DEPTHWISE_MAC("3", "1", "0")
#define LICHEN_DEPTHWISE_4_BY_2_OF_4 LICHEN_DEPTHWISE_4_BY_2_OF_2 LICHEN_DEPTHWISE_4_BY_2("8", "16", "20", "24")
#define LICHEN_DEPTHWISE_2_BY_2(x0, x2)                                                                             \
    LICHEN_DEPTHWISE_W01 LICHEN_DEPTHWISE_X01(x0) LICHEN_DEPTHWISE_MAC("0", "0", "0") LICHEN_DEPTHWISE_X("0", x2)    \
    LICHEN_DEPTHWISE_MAC("0", "1", "1") LICHEN_DEPTHWISE_MAC("1", "1", "0") LICHEN_DEPTHWISE_MAC("1", "0", "1")
#define LICHEN_DEPTHWISE_2_BY_2_OF_2 LICHEN_DEPTHWISE_2_BY_2("0", "8")
#define LICHEN_DEPTHWISE_2_BY_2_OF_3                                                                                 \
    LICHEN_DEPTHWISE_2_BY_2_OF_2 LICHEN_DEPTHWISE_W0 LICHEN_DEPTHWISE_X("1", "12") LICHEN_DEPTHWISE_MAC("0", "0", "0") \
    LICHEN_DEPTHWISE_MAC("1", "1", "0")
#define LICHEN_DEPTHWISE_2_BY_2_OF_4 LICHEN_DEPTHWISE_2_BY_2_OF_2 LICHEN_DEPTHWISE_2_BY_2("8", "16")

/* In assembly, if there is assembly for these widths. */
LICHEN_INLINE int lichen_depthwise_in_asm_dsp(
    const uint32_t *x, const uint32_t *w, int rows, int pitch, int32_t *acc, int count, int words, int stride)
{
    const int step = 4 * pitch;
    int32_t a0 = acc[0], a1 = a0, a2 = a0, a3 = a0;
    uint32_t x0, x1, w0, w1;
    if (stride == 1 && words == 2 && count == 4) {
        LICHEN_DEPTHWISE_ASM(LICHEN_DEPTHWISE_4_OF_2);
    } else if (stride == 1 && words == 2) {
        LICHEN_DEPTHWISE_ASM(LICHEN_DEPTHWISE_2_OF_2);
    } else if (stride == 1 && words == 3 && count == 4) {
        LICHEN_DEPTHWISE_ASM(LICHEN_DEPTHWISE_4_OF_3);
    } else if (stride == 1 && words == 3) {
        LICHEN_DEPTHWISE_ASM(LICHEN_DEPTHWISE_2_OF_3);
    } else if (stride == 1 && words == 4 && count == 4) {
        LICHEN_DEPTHWISE_ASM(LICHEN_DEPTHWISE_4_OF_4);
    } else if (stride == 1 && words == 4) {
        LICHEN_DEPTHWISE_ASM(LICHEN_DEPTHWISE_2_OF_4);
    } else if (stride == 2 && words == 2 && count == 4) {
        LICHEN_DEPTHWISE_ASM(LICHEN_DEPTHWISE_4_BY_2_OF_2);
    } else if (stride == 2 && words == 2) {
        LICHEN_DEPTHWISE_ASM(LICHEN_DEPTHWISE_2_BY_2_OF_2);
    } else if (stride == 2 && words == 3 && count == 4) {
        LICHEN_DEPTHWISE_ASM(LICHEN_DEPTHWISE_4_BY_2_OF_3);
    } else if (stride == 2 && words == 3) {
        LICHEN_DEPTHWISE_ASM(LICHEN_DEPTHWISE_2_BY_2_OF_3);
    } else if (stride == 2 && words == 4 && count == 4) {
        LICHEN_DEPTHWISE_ASM(LICHEN_DEPTHWISE_4_BY_2_OF_4);
    } else if (stride == 2 && words == 4) {
        LICHEN_DEPTHWISE_ASM(LICHEN_DEPTHWISE_2_BY_2_OF_4);
    } else {
        return 0;
    }
    acc[0] = a0;
    acc[1] = a1;
    acc[2] = a2;
    acc[3] = a3;
    return 1;
}

#endif

/* acc[i] = bias + the products of `rows` kernel rows, for `count` outputs beside each other: 4 or 2. */
LICHEN_INLINE void lichen_depthwise_sums_dsp(const uint32_t *x, const uint32_t *w, int rows, int pitch, int32_t bias, int32_t *acc,
    int count, int words, int stride)
{
    acc[0] = acc[1] = acc[2] = acc[3] = bias;
#if LICHEN_HAS_DSP && defined(__OPTIMIZE__)
    if (lichen_depthwise_in_asm_dsp(x, w, rows, pitch, acc, count, words, stride)) {
        return;
    }
#endif
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
        const int32_t x = lichen_requantise_dsp(tile->channel.scale, acc[i], p->out_zero, p->finish);
        *out = lichen_narrow_dsp(x, p->low, p->high);
    }
}

LICHEN_INLINE int8_t lichen_depthwise_int8_dsp(lichen_scale_dsp scale, int32_t acc, int zero, int finish)
{
    return (int8_t)lichen_ssat8(lichen_requantise_dsp(scale, acc, zero, finish));
}

/* All outputs of a tile's channel. */
LICHEN_INLINE void lichen_depthwise_outputs_dsp(const lichen_depthwise_tile_dsp *tile, int words, int stride, int finish)
{
    const lichen_depthwise_conv2d_s8_dsp_params *p = tile->p;
    const int pitch = p->tile_pitch, step = p->in_c;
    for (const lichen_depthwise_row_dsp *row = tile->rows; row < tile->end; row++) {
        const uint32_t *x = tile->x + row->x;
        int8_t *out = tile->out + row->out;
        int32_t acc[4];
        int left = tile->columns;
#if LICHEN_HAS_DSP && defined(__OPTIMIZE__)
        if (finish != LICHEN_ANY_RATIO && left >= 4) {
            const int fours = left / 4;
            lichen_depthwise_quads_dsp quads;
            quads.x = x;
            quads.w = tile->w + row->w;
            quads.rows = row->rows;
            quads.bias = tile->channel.bias;
            quads.doubled = tile->channel.scale.doubled;
            quads.shift = tile->channel.scale.shift;
            quads.zero = p->out_zero;
            quads.out = out;
            quads.step = step;
            quads.end = out + 4 * fours * step;
            quads.pitch = 4 * pitch;
            lichen_depthwise_quads_asm_dsp(&quads, words, stride);
            x += 2 * stride * fours;
            out += 4 * step * fours;
            left -= 4 * fours;
        }
#endif
        for (; left >= 3; left -= 4, x += 2 * stride) {
            lichen_depthwise_sums_dsp(x, tile->w + row->w, row->rows, pitch, tile->channel.bias, acc, 4, words, stride);
            if (finish == LICHEN_ANY_RATIO) {
                lichen_depthwise_store_dsp(tile, acc, out, left < 4 ? left : 4);
                out += 4 * step;
            } else {
                const lichen_scale_dsp scale = tile->channel.scale;
                const int zero = p->out_zero;
                *out = lichen_depthwise_int8_dsp(scale, acc[0], zero, finish);
                out[step] = lichen_depthwise_int8_dsp(scale, acc[1], zero, finish);
                out += 2 * step;
                *out = lichen_depthwise_int8_dsp(scale, acc[2], zero, finish);
                if (left > 3) {
                    out[step] = lichen_depthwise_int8_dsp(scale, acc[3], zero, finish);
                }
                out += 2 * step;
            }
        }
        if (left > 0) {
            lichen_depthwise_sums_dsp(x, tile->w + row->w, row->rows, pitch, tile->channel.bias, acc, 2, words, stride);
            if (finish == LICHEN_ANY_RATIO) {
                lichen_depthwise_store_dsp(tile, acc, out, left);
            } else {
                *out = lichen_depthwise_int8_dsp(tile->channel.scale, acc[0], p->out_zero, finish);
                if (left > 1) {
                    out[step] = lichen_depthwise_int8_dsp(tile->channel.scale, acc[1], p->out_zero, finish);
                }
            }
        }
    }
}

/* The loops: one for each width and stride, shared by all layers; those that no layer takes are dropped. */
#define LICHEN_DEPTHWISE_LOOP(words, stride)                                                          \
    LICHEN_LOOP void lichen_depthwise_##words##_by_##stride##_dsp(const lichen_depthwise_tile_dsp *tile) \
    {                                                                                                 \
        lichen_depthwise_outputs_dsp(tile, words, stride, LICHEN_BELOW_HALF);                         \
    }
LICHEN_DEPTHWISE_LOOP(2, 1)
LICHEN_DEPTHWISE_LOOP(3, 1)
LICHEN_DEPTHWISE_LOOP(4, 1)
LICHEN_DEPTHWISE_LOOP(2, 2)
LICHEN_DEPTHWISE_LOOP(3, 2)
LICHEN_DEPTHWISE_LOOP(4, 2)

/* Any width. */
LICHEN_LOOP void lichen_depthwise_any_dsp(const lichen_depthwise_tile_dsp *tile)
{
    if (tile->p->stride_w == 1) {
        lichen_depthwise_outputs_dsp(tile, tile->p->tap_words, 1, LICHEN_ANY_RATIO);
    } else {
        lichen_depthwise_outputs_dsp(tile, tile->p->tap_words, 2, LICHEN_ANY_RATIO);
    }
}

/* Two pixels of four channels as words: channel c's at to[c * plane]. */
LICHEN_INLINE void lichen_depthwise_put_dsp(uint32_t *to, int plane, uint32_t even0, uint32_t odd0, uint32_t even1, uint32_t odd1)
{
    to[0] = lichen_pack_low(even0, even1);
    to[plane] = lichen_pack_low(odd0, odd1);
    to[2 * plane] = lichen_pack_high(even0, even1);
    to[3 * plane] = lichen_pack_high(odd0, odd1);
}

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
    const int step = input->step, plane = (input->last - input->first) * input->pitch;
    const uint32_t minus = input->minus_zero;
    to += input->left / 2;
    for (int y = input->first; y < input->last; y++, to += input->pitch) {
        const int8_t *from = lichen_window_row_s8(input->in, y, input->length) + input->offset + c;
        uint32_t *word = to;
        int pixels = input->pixels;
        if (input->left & 1) {
            const uint32_t x = lichen_load_word(from);
            lichen_depthwise_put_dsp(word, plane, 0, 0, lichen_sxtab16(minus, x), lichen_sxtab16_odd(minus, x));
            from += step;
            word++;
            pixels--;
        }
        for (; pixels >= 2; pixels -= 2, from += 2 * step, word++) {
            const uint32_t x0 = lichen_load_word(from), x1 = lichen_load_word(from + step);
            lichen_depthwise_put_dsp(word, plane, lichen_sxtab16(minus, x0), lichen_sxtab16_odd(minus, x0),
                lichen_sxtab16(minus, x1), lichen_sxtab16_odd(minus, x1));
        }
        if (pixels > 0) {
            const uint32_t x = lichen_load_word(from);
            lichen_depthwise_put_dsp(word, plane, lichen_sxtab16(minus, x), lichen_sxtab16_odd(minus, x), 0, 0);
        }
    }
}

/* `count` words of weights, an even number. */
LICHEN_HOT void lichen_depthwise_widen_dsp(const int8_t *from, int count, uint32_t *to)
{
    for (const uint32_t *const end = to + count; to < end; from += 4, to += 2) {
        const uint32_t word = lichen_load_word(from);
        to[0] = lichen_sxtb16(word);
        to[1] = lichen_sxtb16_odd(word);
    }
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
    tile.w = w;
    tile.rows = rows;
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
            memset(x, 0, (size_t)(4 * plane) * sizeof *x);
            for (int c = 0; c < p->in_c; c += 4) {
                /* The last four are computed again in part. */
                const int group = c + 4 <= p->in_c ? c : p->in_c - 4;
                lichen_depthwise_gather_dsp(&input, group, x);
                for (int k = group; k < group + 4; k++) {
                    lichen_depthwise_widen_dsp(weights + 2 * k * p->weight_words, p->weight_words, w);
                    tile.x = x + (k - group) * plane;
                    tile.out = out.data + column * p->in_c + k;
                    tile.channel.bias = channels[3 * k];
                    tile.channel.scale.doubled = channels[3 * k + 1];
                    tile.channel.scale.shift = channels[3 * k + 2];
                    loop(&tile);
                }
            }
        }
    }
}

LICHEN_KERNEL void lichen_depthwise_conv2d_s8_dsp(const lichen_depthwise_conv2d_s8_dsp_params *p, lichen_view_s8 in,
    lichen_view_s8 out, const int8_t *weights, const int32_t *channels, int8_t *scratch, int row_begin, int row_end)
{
    lichen_depthwise_loop_dsp *loop = lichen_depthwise_any_dsp;
#if defined(LICHEN_OPTIMIZE_SPEED)
    if (p->finish != LICHEN_ANY_RATIO) {
        if (p->stride_w == 1) {
            loop = p->tap_words == 2   ? lichen_depthwise_2_by_1_dsp
                   : p->tap_words == 3 ? lichen_depthwise_3_by_1_dsp
                   : p->tap_words == 4 ? lichen_depthwise_4_by_1_dsp
                                       : loop;
        } else {
            loop = p->tap_words == 2   ? lichen_depthwise_2_by_2_dsp
                   : p->tap_words == 3 ? lichen_depthwise_3_by_2_dsp
                   : p->tap_words == 4 ? lichen_depthwise_4_by_2_dsp
                                       : loop;
        }
    }
#endif
    lichen_depthwise_tiles_dsp(p, in, out, weights, channels, scratch, row_begin, row_end, loop);
}

#endif
