/* Whether a float32 is a finite number. */
#ifndef LICHEN_FINITE_H
#define LICHEN_FINITE_H

#include "lichen_common.h"

LICHEN_INLINE int lichen_is_finite(float x)
{
    return x - x == 0.0f;
}

#endif
