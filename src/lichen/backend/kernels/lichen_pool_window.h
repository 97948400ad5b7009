/* The windows of int8 poolings that take several channels at once: what of a window is inside the input, and how its channels are taken. */
#ifndef LICHEN_POOL_WINDOW_H
#define LICHEN_POOL_WINDOW_H

#include "lichen_view.h"
#include "lichen_window.h"

/* `rows` rows of `columns` pixels, from `place` on, the row of the view that the window begins with. */
typedef struct {
    const int8_t *data;
    int view_rows, place, rows, columns;
    int length, channels, offset; /* elements of a row and of a pixel, and the first pixel's in a row */
} lichen_pool_window;

LICHEN_INLINE lichen_pool_window lichen_pool_window_of(lichen_view_s8 in, int length, int channels)
{
    lichen_pool_window window;
    window.data = in.data;
    window.view_rows = in.rows;
    window.length = length;
    window.channels = channels;
    window.place = window.rows = window.columns = window.offset = 0;
    return window;
}

/* Moves the window to rows that begin at input row y, which may be outside. */
LICHEN_INLINE void lichen_pool_window_to_row(lichen_pool_window *window, int y, int kernel_h, int in_h)
{
    const lichen_span rows = lichen_taps_inside(y, 1, kernel_h, in_h);
    window->place = (y + rows.begin) % window->view_rows;
    window->rows = rows.end - rows.begin;
}

/* The same of columns. */
LICHEN_INLINE void lichen_pool_window_to_column(lichen_pool_window *window, int x, int kernel_w, int in_w)
{
    const lichen_span columns = lichen_taps_inside(x, 1, kernel_w, in_w);
    window->offset = (x + columns.begin) * window->channels;
    window->columns = columns.end - columns.begin;
}

/* Where row `row` of the window begins. */
LICHEN_INLINE const int8_t *lichen_pool_row(const lichen_pool_window *window, int row)
{
    const int y = window->place + row;
    return window->data + (y < window->view_rows ? y : y - window->view_rows) * window->length + window->offset;
}

/* Where the four channels begin that are taken together with channel c: at the end some of those before it are taken again. */
LICHEN_INLINE int lichen_pool_four(const lichen_pool_window *window, int c)
{
    return c + 4 <= window->channels ? c : window->channels - 4;
}

#endif
