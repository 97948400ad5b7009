/* What LICHEN_MARK becomes in a validating build: the inference returns in front of the chosen kernel call, so that every
   tensor between two calls can be read back from the arena. Included ahead of the model (cc -include lichen_stop.h
   -DLICHEN_VALIDATE). */
#ifndef LICHEN_STOP_H
#define LICHEN_STOP_H

#include <stdint.h>

#define LICHEN_STOP_NEVER UINT16_MAX

#ifdef __cplusplus
extern "C" {
#endif
extern uint16_t lichen_stop; /* the number of that kernel call; whoever runs the model defines it */
#ifdef __cplusplus
}
#endif

#define LICHEN_MARK(index)                                                                                                \
    do {                                                                                                                  \
        if (lichen_stop == (index)) return;                                                                               \
    } while (0)

#endif
