/* Innermost loops over float32, four or eight elements at a time. Each sum is added up in the order of its elements, one rounding after
   each product and one after each addition, on every core.

   How this works inside: a multiple load takes the place of four or eight loads, and several sums or elements share what they have in
   common, so that little is left but a multiplication and an addition for each product (these are not fused, which would round once).
   Instructions a product: lichen_dot4_f32 2.4, lichen_add_outer 2.6, lichen_add_columns 2.6, lichen_add_products 2.8. gcc loads one float
   at a time, hence the assembly; beside it stands the same in C. Cores without a floating-point unit spend their time elsewhere and get the short loops. */
#ifndef LICHEN_FLOAT_LOOPS_H
#define LICHEN_FLOAT_LOOPS_H

#include "lichen_common.h"

#if defined(__AVR__) || (defined(__arm__) && !defined(__ARM_FP))
#define LICHEN_SOFT_FLOAT 1
#elif defined(__thumb2__) && defined(__ARM_FP) && defined(__GNUC__)
#define LICHEN_LOADS_FLOATS 1 /* several by one instruction */
#endif

#if defined(LICHEN_LOADS_FLOATS)
#define LICHEN_S0_TO_S7 "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7"
#define LICHEN_S8_TO_S15 "s8", "s9", "s10", "s11", "s12", "s13", "s14", "s15"
#define LICHEN_S16_TO_S23 "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23"

/* s0 to s7 times a register; s0 to s7 times s8 to s15; s8 to s15 or s16 to s23 plus s0 to s7. */
#define LICHEN_SCALE_F32(f)                                                                                                     \
    "vmul.f32 s0, s0, " f "\n\tvmul.f32 s1, s1, " f "\n\tvmul.f32 s2, s2, " f "\n\tvmul.f32 s3, s3, " f "\n\t"                  \
    "vmul.f32 s4, s4, " f "\n\tvmul.f32 s5, s5, " f "\n\tvmul.f32 s6, s6, " f "\n\tvmul.f32 s7, s7, " f "\n\t"
#define LICHEN_MULTIPLY_F32                                                                                                     \
    "vmul.f32 s0, s0, s8\n\tvmul.f32 s1, s1, s9\n\tvmul.f32 s2, s2, s10\n\tvmul.f32 s3, s3, s11\n\t"                            \
    "vmul.f32 s4, s4, s12\n\tvmul.f32 s5, s5, s13\n\tvmul.f32 s6, s6, s14\n\tvmul.f32 s7, s7, s15\n\t"
#define LICHEN_ADD_TO_S8_F32                                                                                                    \
    "vadd.f32 s8, s8, s0\n\tvadd.f32 s9, s9, s1\n\tvadd.f32 s10, s10, s2\n\tvadd.f32 s11, s11, s3\n\t"                          \
    "vadd.f32 s12, s12, s4\n\tvadd.f32 s13, s13, s5\n\tvadd.f32 s14, s14, s6\n\tvadd.f32 s15, s15, s7\n\t"
#define LICHEN_ADD_TO_S16_F32                                                                                                   \
    "vadd.f32 s16, s16, s0\n\tvadd.f32 s17, s17, s1\n\tvadd.f32 s18, s18, s2\n\tvadd.f32 s19, s19, s3\n\t"                      \
    "vadd.f32 s20, s20, s4\n\tvadd.f32 s21, s21, s5\n\tvadd.f32 s22, s22, s6\n\tvadd.f32 s23, s23, s7\n\t"
#endif

/* sum += x[i] * w[i] for i < n. */
LICHEN_HOT float lichen_dot_f32(float sum, const float *x, const float *w, int n, int w_in_flash)
{
    for (int i = 0; i < n; i++) {
        sum += x[i] * lichen_read_f32(w + i, w_in_flash);
    }
    return sum;
}

/* sum[b] += x[i] * w[b * stride + i] for i < n and b < 4. */
LICHEN_HOT void lichen_dot4_f32(float *sum, const float *x, const float *w, int stride, int n)
{
    const float *w1 = w + stride, *w2 = w1 + stride, *w3 = w2 + stride;
    float a = sum[0], b = sum[1], c = sum[2], d = sum[3];
#if defined(LICHEN_LOADS_FLOATS)
    int fours = n >> 2;
    n &= 3;
    if (fours > 0) {
#define LICHEN_TWO_DOTS_F32(w0, w1, a, b)                                                                     \
    "vldmia %[" w0 "]!, {s4-s7}\n\tvldmia %[" w1 "]!, {s8-s11}\n\t"                                           \
    "vmul.f32 s4, s4, s0\n\tvmul.f32 s8, s8, s0\n\tvmul.f32 s5, s5, s1\n\tvmul.f32 s9, s9, s1\n\t"            \
    "vmul.f32 s6, s6, s2\n\tvmul.f32 s10, s10, s2\n\tvmul.f32 s7, s7, s3\n\tvmul.f32 s11, s11, s3\n\t"        \
    "vadd.f32 %[" a "], %[" a "], s4\n\tvadd.f32 %[" b "], %[" b "], s8\n\t"                                  \
    "vadd.f32 %[" a "], %[" a "], s5\n\tvadd.f32 %[" b "], %[" b "], s9\n\t"                                  \
    "vadd.f32 %[" a "], %[" a "], s6\n\tvadd.f32 %[" b "], %[" b "], s10\n\t"                                 \
    "vadd.f32 %[" a "], %[" a "], s7\n\tvadd.f32 %[" b "], %[" b "], s11\n\t"
        __asm__ volatile("1:\n\tvldmia %[x]!, {s0-s3}\n\t" LICHEN_TWO_DOTS_F32("w0", "w1", "a", "b")
            LICHEN_TWO_DOTS_F32("w2", "w3", "c", "d") "subs %[fours], %[fours], #1\n\tbne 1b"
            : [x] "+r"(x), [w0] "+r"(w), [w1] "+r"(w1), [w2] "+r"(w2), [w3] "+r"(w3), [fours] "+r"(fours), [a] "+t"(a), [b] "+t"(b),
            [c] "+t"(c), [d] "+t"(d)
            :
            : "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "memory", "cc");
    }
#endif
    for (int i = 0; i < n; i++) {
        a += x[i] * w[i];
        b += x[i] * w1[i];
        c += x[i] * w2[i];
        d += x[i] * w3[i];
    }
    sum[0] = a;
    sum[1] = b;
    sum[2] = c;
    sum[3] = d;
}

/* y[i] = 0 for i < n. */
LICHEN_HOT void lichen_clear_f32(float *y, int n)
{
#if defined(LICHEN_LOADS_FLOATS)
    int eights = n >> 3;
    n &= 7;
    if (eights > 0) {
        __asm__ volatile("vmov s0, %[zero]\n\tvmov s1, %[zero]\n\tvmov s2, %[zero]\n\tvmov s3, %[zero]\n\t"
            "vmov s4, %[zero]\n\tvmov s5, %[zero]\n\tvmov s6, %[zero]\n\tvmov s7, %[zero]\n"
            "1:\n\tvstmia %[y]!, {s0-s7}\n\tsubs %[eights], %[eights], #1\n\tbne 1b"
            : [y] "+r"(y), [eights] "+r"(eights)
            : [zero] "r"(0)
            : LICHEN_S0_TO_S7, "memory", "cc");
    }
#endif
    memset(y, 0, (size_t)n * sizeof *y);
}

/* y[i] += factor * x[i] for i < n. */
LICHEN_INLINE void lichen_add_multiple(float *y, const float *x, int n, float factor)
{
#if defined(LICHEN_LOADS_FLOATS)
    int eights = n >> 3;
    n &= 7;
    if (eights > 0) {
        __asm__ volatile("1:\n\tvldmia %[x]!, {s0-s7}\n\tvldmia %[y], {s8-s15}\n\t" LICHEN_SCALE_F32("%[f]") LICHEN_ADD_TO_S8_F32
            "vstmia %[y]!, {s8-s15}\n\tsubs %[eights], %[eights], #1\n\tbne 1b"
            : [x] "+r"(x), [y] "+r"(y), [eights] "+r"(eights)
            : [f] "t"(factor)
            : LICHEN_S0_TO_S7, LICHEN_S8_TO_S15, "memory", "cc");
    }
#endif
#if !defined(LICHEN_SOFT_FLOAT)
    for (; n >= 4; n -= 4, x += 4, y += 4) {
        y[0] += factor * x[0];
        y[1] += factor * x[1];
        y[2] += factor * x[2];
        y[3] += factor * x[3];
    }
#endif
    for (int i = 0; i < n; i++) {
        y[i] += factor * x[i];
    }
}

/* y[r * stride + i] += factor * g[r] * x[i] for r < rows, i < n. */
LICHEN_HOT void lichen_add_outer(float *y, int stride, const float *g, int rows, const float *x, int n, float factor)
{
    for (int r = 0; r < rows; r++, y += stride) {
        lichen_add_multiple(y, x, n, factor * g[r]);
    }
}

/* y[i] += x[i] * w[i] for i < n. */
LICHEN_HOT void lichen_add_products(float *y, const float *x, const float *w, int n, int w_in_flash)
{
#if defined(LICHEN_LOADS_FLOATS)
    int eights = n >> 3;
    n &= 7;
    if (eights > 0) {
        __asm__ volatile("1:\n\tvldmia %[x]!, {s0-s7}\n\tvldmia %[w]!, {s8-s15}\n\tvldmia %[y], {s16-s23}\n\t" LICHEN_MULTIPLY_F32
            LICHEN_ADD_TO_S16_F32 "vstmia %[y]!, {s16-s23}\n\tsubs %[eights], %[eights], #1\n\tbne 1b"
            : [x] "+r"(x), [w] "+r"(w), [y] "+r"(y), [eights] "+r"(eights)
            :
            : LICHEN_S0_TO_S7, LICHEN_S8_TO_S15, LICHEN_S16_TO_S23, "memory", "cc");
    }
#endif
    for (int i = 0; i < n; i++) {
        y[i] += x[i] * lichen_read_f32(w + i, w_in_flash);
    }
}

/* y[i] += factor * g[i] * x[i] for i < n. */
LICHEN_HOT void lichen_add_scaled_products(float *y, const float *g, const float *x, int n, float factor)
{
#if defined(LICHEN_LOADS_FLOATS)
    int eights = n >> 3;
    n &= 7;
    if (eights > 0) {
        __asm__ volatile("1:\n\tvldmia %[g]!, {s0-s7}\n\tvldmia %[x]!, {s8-s15}\n\tvldmia %[y], {s16-s23}\n\t" LICHEN_SCALE_F32("%[f]")
            LICHEN_MULTIPLY_F32 LICHEN_ADD_TO_S16_F32 "vstmia %[y]!, {s16-s23}\n\tsubs %[eights], %[eights], #1\n\tbne 1b"
            : [g] "+r"(g), [x] "+r"(x), [y] "+r"(y), [eights] "+r"(eights)
            : [f] "t"(factor)
            : LICHEN_S0_TO_S7, LICHEN_S8_TO_S15, LICHEN_S16_TO_S23, "memory", "cc");
    }
#endif
    for (int i = 0; i < n; i++) {
        y[i] += factor * g[i] * x[i];
    }
}

/* y[c] += g[r] * w[r * stride + c] for c < columns, one after the other for r < rows. */
LICHEN_HOT void lichen_add_columns(float *y, const float *g, const float *w, int rows, int stride, int columns, int w_in_flash)
{
    int c = 0;
#if defined(LICHEN_LOADS_FLOATS)
    for (; c + 8 <= columns; c += 8) {
        const float *row = w + c, *factor = g;
        float *to = y + c;
        int left = rows;
        __asm__ volatile("vldmia %[y], {s8-s15}\n"
            "1:\n\tvldmia %[g]!, {s16}\n\tvldmia %[w], {s0-s7}\n\tadd %[w], %[w], %[stride]\n\t" LICHEN_SCALE_F32("s16")
            LICHEN_ADD_TO_S8_F32 "subs %[left], %[left], #1\n\tbne 1b\n\t"
            "vstmia %[y], {s8-s15}"
            : [g] "+r"(factor), [w] "+r"(row), [left] "+r"(left)
            : [y] "r"(to), [stride] "r"(stride * (int)sizeof *w)
            : LICHEN_S0_TO_S7, LICHEN_S8_TO_S15, "s16", "memory", "cc");
    }
#endif
#if !defined(LICHEN_SOFT_FLOAT)
    for (; c + 4 <= columns; c += 4) {
        const float *row = w + c;
        float a = y[c], b = y[c + 1], d = y[c + 2], e = y[c + 3];
        for (int r = 0; r < rows; r++, row += stride) {
            a += g[r] * row[0];
            b += g[r] * row[1];
            d += g[r] * row[2];
            e += g[r] * row[3];
        }
        y[c] = a;
        y[c + 1] = b;
        y[c + 2] = d;
        y[c + 3] = e;
    }
#endif
    for (; c < columns; c++) {
        const float *row = w + c;
        float sum = y[c];
        for (int r = 0; r < rows; r++, row += stride) {
            sum += g[r] * lichen_read_f32(row, w_in_flash);
        }
        y[c] = sum;
    }
}

#endif
