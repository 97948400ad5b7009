/* What LICHEN_MARK becomes in a profiled build: a call the profiler can see, to a function that does nothing. */
#include "lichen_mark.h"

__attribute__((noinline)) void lichen_mark(int k) { __asm volatile("" ::"r"(k) : "memory"); }
