/* A lesson: what `learn` is given is looked at before anything is changed, then learned from, then judged by its loss.
   lichen/backend/lesson.py is the twin of this file. */
#ifndef LICHEN_LESSON_H
#define LICHEN_LESSON_H

#include <stdint.h>

typedef enum {
    LICHEN_LESSON_OK = 0,
    LICHEN_LESSON_UNLABELLED = 1,       /* a label below 0: statistics took the sample in, nothing was learned from it */
    LICHEN_LESSON_NOT_FINITE = 2,       /* an input is not a finite number; it and the next two have changed nothing */
    LICHEN_LESSON_NO_SUCH_CLASS = 3,    /* the label is not one of the model's classes */
    LICHEN_LESSON_TOO_MANY_CLASSES = 4, /* the label is new, and every neuron has one */
    LICHEN_LESSON_DIVERGED = 5          /* the loss is not a finite number, so no parameter was changed */
} lichen_lesson_status;

/* Each look keeps what an earlier one has found. */

static inline void lichen_lesson_numbers(lichen_lesson_status *status, const float *x, int count)
{
    for (int i = 0; i < count && *status < LICHEN_LESSON_NOT_FINITE; i++) {
        if (!(x[i] - x[i] == 0.0f)) *status = LICHEN_LESSON_NOT_FINITE;
    }
}

/* The label of one of `classes` classes, all known. */
static inline void lichen_lesson_label(lichen_lesson_status *status, const int32_t *label, int32_t classes)
{
    if (*status < LICHEN_LESSON_NOT_FINITE && (*label < 0 || *label >= classes)) *status = LICHEN_LESSON_NO_SUCH_CLASS;
}

/* A label for a class map of `capacity` neurons, whose free ones come last and have labels below 0. */
static inline void lichen_lesson_class(lichen_lesson_status *status, const int32_t *label, const int32_t *labels, int capacity)
{
    if (*status >= LICHEN_LESSON_NOT_FINITE) return;
    if (*label < 0) {
        *status = LICHEN_LESSON_UNLABELLED;
        return;
    }
    for (int i = 0; i < capacity; i++) {
        if (labels[i] < 0 || labels[i] == *label) return;
    }
    *status = LICHEN_LESSON_TOO_MANY_CLASSES;
}

/* How a lesson ended whose inputs were found `status`. */
static inline lichen_lesson_status lichen_lesson_judged(lichen_lesson_status status, float loss)
{
    return status == LICHEN_LESSON_OK && !(loss - loss == 0.0f) ? LICHEN_LESSON_DIVERGED : status;
}

#endif
