/* What LICHEN_MARK becomes in a profiled build: a call the profiler can see, to a function that does nothing. Included ahead of the
   model (cc -include lichen_mark.h). */
#ifndef LICHEN_MARK_H
#define LICHEN_MARK_H

void lichen_mark(int index);

#define LICHEN_MARK(index) lichen_mark(index)

#endif
