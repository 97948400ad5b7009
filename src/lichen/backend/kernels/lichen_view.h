/* A view of the rows of a feature map: the whole map, or a ring buffer that holds its newest rows. */
#ifndef LICHEN_VIEW_H
#define LICHEN_VIEW_H

#include "lichen_common.h"

/* As many rows as a whole map may have: where its height is not at hand. */
#define LICHEN_ALL_ROWS INT16_MAX

typedef struct {
    int8_t *data;
    int rows;   /* row y lies at y modulo rows */
    int first;  /* of a window: the row that lies first; the others follow in order */
    int newest; /* of a window: where the row behind these lies, counted from data; 0 if there is none apart */
} lichen_view_s8;

typedef struct {
    float *data;
    int rows;
} lichen_view_f32;

LICHEN_INLINE lichen_view_s8 lichen_rows_s8(int8_t *data, int rows)
{
    lichen_view_s8 view;
    view.data = data;
    view.rows = rows;
    view.first = view.newest = 0;
    return view;
}

LICHEN_INLINE lichen_view_f32 lichen_rows_f32(float *data, int rows)
{
    lichen_view_f32 view;
    view.data = data;
    view.rows = rows;
    return view;
}

/* Start of row y, which begins `length` elements after the row above. */
LICHEN_INLINE int8_t *lichen_row_s8(lichen_view_s8 view, int y, int length)
{
    return view.data + (y < view.rows ? y : y % view.rows) * length;
}

/* The same of a view that may be a window. */
LICHEN_INLINE const int8_t *lichen_window_row_s8(lichen_view_s8 view, int y, int length)
{
    const int row = y - view.first;
    return view.data + (row < view.rows ? row * length : view.newest ? view.newest : row % view.rows * length);
}

LICHEN_INLINE float *lichen_row_f32(lichen_view_f32 view, int y, int length)
{
    return view.data + (y < view.rows ? y : y % view.rows) * length;
}

#endif
