#include "lichen_mark.h"

__attribute__((noinline)) void lichen_mark(int index)
{
    __asm volatile("" ::"r"(index) : "memory");
}
