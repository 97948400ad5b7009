/* The taps of a pooling's window on cores with Helium: a loop over the pixels of a row, which LE repeats, within one over rows, which goes on with
   the first row of the view behind its last. */
#ifndef LICHEN_POOL_WINDOW_MVE_H
#define LICHEN_POOL_WINDOW_MVE_H

#include "lichen_mve.h"
#include "lichen_pool_window.h"

/* The window of a view of an input with in_h rows, at those that begin at row y. A view of more rows than that counts as one of so many, so
   that its end is an address. */
LICHEN_INLINE lichen_pool_window lichen_pool_window_of_mve(lichen_view_s8 in, int length, int channels, int y, int kernel_h, int in_h)
{
    const lichen_view_s8 rows = lichen_rows_s8(in.data, in.rows < in_h ? in.rows : in_h);
    lichen_pool_window window = lichen_pool_window_of(rows, length, channels);
    lichen_pool_window_to_row(&window, y, kernel_h, in_h);
    return window;
}

#if LICHEN_HAS_MVE
/* The taps of a window's first channel. */
typedef struct {
    const int8_t *tap, *end; /* the first tap, and the end of the view */
    int rows, columns, step; /* step: elements from pixel to pixel */
    int jump, back;          /* elements from behind the last pixel of a row to the first of the next, and of the view */
} lichen_taps_mve;

LICHEN_INLINE lichen_taps_mve lichen_taps_of_mve(const lichen_pool_window *window)
{
    lichen_taps_mve taps;
    taps.back = window->view_rows * window->length;
    taps.tap = lichen_pool_row(window, 0);
    taps.end = window->data + taps.back;
    taps.rows = window->rows;
    taps.columns = window->columns;
    taps.step = window->channels;
    taps.jump = window->length - window->columns * window->channels;
    return taps;
}

/* Assembly that does `body`, instructions that read at %[tap], for each tap. Its operands tap and rows change, before the others are read for
   the last time; these are LICHEN_TAPS_MVE. */
#define LICHEN_EACH_TAP_MVE(body) \
    "1:\n\t" \
    "dls lr, %[columns]\n" \
    "2:\n\t" body \
    "add %[tap], %[step]\n\t" \
    "le lr, 2b\n\t" \
    "add %[tap], %[jump]\n\t" \
    "cmp %[tap], %[end]\n\t" \
    "it hs\n\t" \
    "subhs %[tap], %[back]\n\t" \
    "subs %[rows], #1\n\t" \
    "bne 1b"
#define LICHEN_TAPS_MVE(taps) \
    [columns] "r"((taps)->columns), [step] "r"((taps)->step), [jump] "r"((taps)->jump), [end] "r"((taps)->end), [back] "r"((taps)->back)
#endif

#endif
