/* Running means in float32 that take in millions of samples: what rounding would lose is kept beside the mean. */
#ifndef LICHEN_RUNNING_H
#define LICHEN_RUNNING_H

#include "lichen_common.h"

/* Statistics take in no number beyond this: its square, added up, could overflow. */
#define LICHEN_LARGEST_SAMPLE 1e15f

/* Whether all of `x` are numbers that statistics can take in. */
LICHEN_INLINE int lichen_are_samples(const float *x, int count)
{
    for (int i = 0; i < count; i++) {
        if (!(x[i] >= -LICHEN_LARGEST_SAMPLE && x[i] <= LICHEN_LARGEST_SAMPLE)) { /* also where x[i] is not a number */
            return 0;
        }
    }
    return 1;
}

/* Counts a sample and returns its weight in a mean: that of a plain mean, but never less than `forgetting`. */
LICHEN_INLINE float lichen_next_weight(int32_t *count, float forgetting)
{
    if (*count < INT32_MAX) {
        *count += 1;
    }
    const float weight = 1.0f / (float)*count;
    return weight > forgetting ? weight : forgetting;
}

/* Adds `term` to the unevaluated sum *value + *lost, whose parts do not overlap (Knuth's two-sum). */
LICHEN_INLINE void lichen_add(float *value, float *lost, float term)
{
    const float a = *value;
    const float b = *lost + term;
    const float sum = a + b;
    const float from_b = sum - a;
    *value = sum;
    *lost = (a - (sum - from_b)) + (b - from_b);
}

#endif
