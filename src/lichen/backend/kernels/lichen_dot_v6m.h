/* Sums of products for four output channels on ARMv6-M (Cortex-M0, M0+), which has neither a multiply-accumulate nor loads that extend
   signs at an offset.

   How this works inside: the weights of one tap for four channels are a word, the last in its highest byte as it is, the others above zero
   (128 more). The word shifted to the right by a channel's place is that channel's weight, plus 256 times what lies above. So bytes need
   not be told apart: each of four sums adds up the input times the shifted word, modulo 2^32, and in the end 256 times the sum above is
   taken off each (lichen_sums_v6m), as is 128 times the sum of the inputs. A tap takes 13 instructions for four products, an index and a
   quarter of a branch: 3.6 instructions a product, 4.1 cycles. A row of taps takes 16, four channels of a pixel 60, and an output 45 from
   its sum to int8. */
#ifndef LICHEN_DOT_V6M_H
#define LICHEN_DOT_V6M_H

#include "lichen_fixed_point.h"
#include "lichen_patch_s8.h"

/* Four sums as they are added up. */
typedef struct {
    uint32_t a, b, c, d;
} lichen_raw_v6m;

/* One tap: t = x times the word, shifted. */
LICHEN_INLINE void lichen_mac_v6m(lichen_raw_v6m *raw, int32_t x, int32_t word)
{
    raw->a += (uint32_t)x * (uint32_t)word;
    raw->b += (uint32_t)x * (uint32_t)(word >> 8);
    raw->c += (uint32_t)x * (uint32_t)(word >> 16);
    raw->d += (uint32_t)x * (uint32_t)(word >> 24);
}

/* `rows` runs of n inputs, n and rows >= 1: from the end of one to the end of the next in bytes of the input (`step`, and `jump` more where
   that is not in front of `limit`), and in bytes from the end of its words to the next (`gap`). The assembly knows them by their places. */
typedef struct {
    int minus_n, gap, step, limit, jump, rows, left;
} lichen_rows_v6m;

#if defined(__ARM_ARCH_6M__)
#define LICHEN_MAC_V6M                                                                  \
    "ldrsb %[x], [%[end], %[i]]\n\t"                                                    \
    "ldmia %[w]!, {%[word]}\n\t"                                                        \
    "asrs %[t], %[word], #8\n\tmuls %[t], %[x], %[t]\n\tadd %[b], %[b], %[t]\n\t"       \
    "asrs %[t], %[word], #16\n\tmuls %[t], %[x], %[t]\n\tadd %[c], %[c], %[t]\n\t"      \
    "asrs %[t], %[word], #24\n\tmuls %[t], %[x], %[t]\n\tadd %[d], %[d], %[t]\n\t"      \
    "muls %[word], %[x], %[word]\n\tadd %[a], %[a], %[word]\n\t"                        \
    "adds %[i], #1\n\t"
#endif

/* Adds all products of the runs, the first of which ends in front of x[end]. */
LICHEN_LOOP void lichen_dot_v6m(lichen_raw_v6m *raw, lichen_rows_v6m *at, const int8_t *x, int end, const int32_t *words)
{
#if defined(__ARM_ARCH_6M__)
    register uint32_t a __asm__("r8") = raw->a;
    register uint32_t b __asm__("r9") = raw->b;
    register uint32_t c __asm__("r10") = raw->c;
    register uint32_t d __asm__("r11") = raw->d;
    int32_t input, word, t;
    int i;
    end += (int)x; /* an address, as the limit is */
    __asm__ volatile(".syntax unified\n\t"
        "ldr %[t], [%[at], #20]\n\tstr %[t], [%[at], #24]\n"
        "1:\n\t"
        "ldr %[i], [%[at]]\n\t"
        "lsls %[t], %[i], #30\n\tbeq 3f\n"
        "2:\n\t" LICHEN_MAC_V6M
        "lsls %[t], %[i], #30\n\tbne 2b\n"
        "3:\n\t"
        "cmp %[i], #0\n\tbeq 5f\n"
        "4:\n\t" LICHEN_MAC_V6M LICHEN_MAC_V6M LICHEN_MAC_V6M LICHEN_MAC_V6M
        "bne 4b\n"
        "5:\n\t"
        "ldr %[t], [%[at], #4]\n\tadds %[w], %[w], %[t]\n\t"
        "ldr %[t], [%[at], #8]\n\tadds %[end], %[end], %[t]\n\t"
        "ldr %[t], [%[at], #12]\n\tcmp %[end], %[t]\n\tblo 6f\n\t"
        "ldr %[t], [%[at], #16]\n\tadds %[end], %[end], %[t]\n"
        "6:\n\t"
        "ldr %[t], [%[at], #24]\n\tsubs %[t], #1\n\tstr %[t], [%[at], #24]\n\tbgt 1b"
        : [a] "+r"(a), [b] "+r"(b), [c] "+r"(c), [d] "+r"(d), [w] "+l"(words), [end] "+l"(end), [i] "=&l"(i), [x] "=&l"(input),
        [word] "=&l"(word), [t] "=&l"(t)
        : [at] "l"(at)
        : "memory", "cc");
    raw->a = a;
    raw->b = b;
    raw->c = c;
    raw->d = d;
#else
    for (at->left = at->rows; at->left > 0; at->left--) {
        for (int i = at->minus_n; i < 0; i++) {
            lichen_mac_v6m(raw, x[end + i], *words++);
        }
        words += at->gap / 4;
        end += at->step;
        if (end >= at->limit) {
            end += at->jump;
        }
    }
#endif
}

/* The rows of taps of a window as runs of `run` inputs. */
LICHEN_INLINE lichen_rows_v6m lichen_rows_of_v6m(const lichen_patch_s8 *patch, int run)
{
    lichen_rows_v6m at;
    at.minus_n = -run;
    at.gap = (patch->before + patch->inside + patch->after - run) * 4;
    at.step = patch->row_step;
    at.limit = patch->ring + run;
    at.jump = patch->jump;
    at.rows = patch->rows;
    at.left = 0;
#if defined(__ARM_ARCH_6M__)
    at.limit += (int)patch->data;
#endif
    return at;
}

/* Products of in_zero with the words outside the input. */
LICHEN_LOOP void lichen_padding_v6m(const lichen_patch_s8 *patch, const int32_t *words, int in_zero, lichen_raw_v6m *sums)
{
    lichen_raw_v6m raw;
    int n = patch->above + (patch->rows > 0 ? patch->before : patch->below);
    raw.a = raw.b = raw.c = raw.d = 0;
    for (int row = patch->rows;; row--) {
        for (; n > 0; n--) {
            lichen_mac_v6m(&raw, 1, *words++);
        }
        if (row == 0) {
            break;
        }
        words += patch->inside;
        n = patch->after + (row > 1 ? patch->before : patch->below);
    }
    sums->a += (uint32_t)in_zero * raw.a;
    sums->b += (uint32_t)in_zero * raw.b;
    sums->c += (uint32_t)in_zero * raw.c;
    sums->d += (uint32_t)in_zero * raw.d;
}

/* The sum of n inputs. */
LICHEN_INLINE int32_t lichen_input_sum_v6m(const int8_t *x, int n)
{
    const int8_t *const fours = x + (n & ~3), *const end = x + n;
    int32_t sum = 0;
    for (; x < fours; x += 4) {
        sum += x[0];
        sum += x[1];
        sum += x[2];
        sum += x[3];
    }
    while (x < end) {
        sum += *x++;
    }
    return sum;
}

/* The sum of the inputs in a window of `taps` weights a channel, those outside being in_zero. */
LICHEN_HOT int32_t lichen_window_sum_v6m(const lichen_patch_s8 *patch, int run, int taps, int in_zero)
{
    int32_t sum = (int32_t)in_zero * (taps - patch->rows * patch->inside);
    for (int left = patch->inside, column = patch->offset; left > 0; left -= run, column += patch->tap_step) {
        int offset = column;
        for (int row = patch->rows; row > 0; row--) {
            sum += lichen_input_sum_v6m(patch->data + offset, run);
            offset = lichen_patch_next_row_s8(patch, offset);
        }
    }
    return sum;
}

/* The sums of four channels, from what was added up and the sum of the inputs. */
LICHEN_INLINE void lichen_sums_v6m(const lichen_raw_v6m *raw, int32_t inputs, int32_t *acc)
{
    const uint32_t more = (uint32_t)inputs << 7;
    acc[0] = (int32_t)(raw->a - (raw->b << 8) - more);
    acc[1] = (int32_t)(raw->b - (raw->c << 8) - more);
    acc[2] = (int32_t)(raw->c - (raw->d << 8) - more);
    acc[3] = (int32_t)raw->d;
}

/* out[b] from acc[b] for b < count, 1 <= count. `ends` are three words a channel: bias, multiplier, and one bit less than its sum is shifted
   to the right. The same products as in lichen_high_mul_halves, whose rounding bits come out of shifts: 38 instructions. */
LICHEN_LOOP void lichen_end_v6m(const int32_t *acc, const int32_t *ends, int count, int zero, int low, int high, int8_t *out)
{
#if defined(__ARM_ARCH_6M__)
    register int add __asm__("r8") = zero;
    register int least __asm__("r9") = low;
    register int most __asm__("r10") = high;
    register const int32_t *end __asm__("r11") = acc + count;
    register int32_t right __asm__("r12");
    int32_t a, b, c, d, t;
    __asm__ volatile(".syntax unified\n"
        "1:\n\t"
        "ldmia %[ends]!, {%[d]}\n\tldmia %[acc]!, {%[a]}\n\tadds %[a], %[a], %[d]\n\t"
        "ldmia %[ends]!, {%[b]}\n\tldmia %[ends]!, {%[t]}\n\tmov %[right], %[t]\n\t"
        "asrs %[c], %[a], #16\n\tuxth %[a], %[a]\n\tasrs %[d], %[b], #16\n\tuxth %[b], %[b]\n\t"
        "movs %[t], %[a]\n\tmuls %[t], %[b], %[t]\n\tlsrs %[t], %[t], #16\n\t"
        "muls %[b], %[c], %[b]\n\t" /* inner */
        "muls %[a], %[d], %[a]\n\tadds %[a], %[a], %[t]\n\t" /* outer */
        "muls %[c], %[d], %[c]\n\tlsls %[c], %[c], #1\n\t"
        "asrs %[t], %[b], #15\n\tadds %[c], %[c], %[t]\n\t"
        "lsls %[b], %[b], #17\n\tlsrs %[b], %[b], #17\n\tadds %[a], %[a], %[b]\n\t"
        "lsrs %[a], %[a], #15\n\tadcs %[c], %[c], %[a]\n\t"
        "asrs %[t], %[c], #31\n\tadds %[c], %[c], %[t]\n\tmov %[t], %[right]\n\t"
        "asrs %[c], %[c], %[t]\n\tadds %[c], #1\n\tasrs %[c], %[c], #1\n\t"
        "add %[c], %[c], %[add]\n\t"
        "cmp %[c], %[least]\n\tbge 2f\n\tmov %[c], %[least]\n"
        "2:\n\tcmp %[c], %[most]\n\tble 3f\n\tmov %[c], %[most]\n"
        "3:\n\tstrb %[c], [%[out]]\n\tadds %[out], #1\n\t"
        "cmp %[acc], %[end]\n\tbne 1b"
        : [acc] "+l"(acc), [ends] "+l"(ends), [out] "+l"(out), [right] "=&r"(right), [a] "=&l"(a), [b] "=&l"(b), [c] "=&l"(c),
        [d] "=&l"(d), [t] "=&l"(t)
        : [add] "r"(add), [least] "r"(least), [most] "r"(most), [end] "r"(end)
        : "memory", "cc");
#else
    for (int b = 0; b < count; b++, ends += 3) {
        const int32_t scaled = lichen_round_pot(lichen_high_mul(acc[b] + ends[0], ends[1]), (int)ends[2] + 1);
        out[b] = lichen_clamp_s8(scaled + zero, low, high);
    }
#endif
}

#endif
