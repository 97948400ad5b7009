/* Windows whose newest row lies apart from the rows before it, and how they move on. */
#ifndef LICHEN_SLIDE_H
#define LICHEN_SLIDE_H

#include "lichen_move.h"
#include "lichen_view.h"

/* The view of a kernel that reads: rows `first` and following in `data`, the one behind them in `newest`. */
LICHEN_INLINE lichen_view_s8 lichen_window_s8(int8_t *data, int rows, int first, const int8_t *newest)
{
    lichen_view_s8 view;
    view.data = data;
    view.rows = rows;
    view.first = first;
    view.newest = (int)(newest - data);
    return view;
}

/* Moves a window on to row `first` and returns where it begins then: of `end` rows so far those that it still reaches over move to
   the front. */
LICHEN_INLINE int lichen_slide_s8(lichen_view_s8 window, int length, int first, int end)
{
    const int border = window.first + window.rows, inside = end < border ? end : border;
    if (first <= window.first) {
        return window.first;
    }
    if (inside > first) {
        lichen_move(window.data, window.data + (first - window.first) * length, (inside - first) * length, 0);
    }
    if (end > border && end > first) {
        lichen_move(window.data + (end - 1 - first) * length, window.data + window.newest, length, 0);
    }
    return first;
}

#endif
