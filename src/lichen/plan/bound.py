"""A lower bound of the arena over every order and every choice of offsets.

Whatever the order, a buffer is alive at a step when one of its writers is that step or has to come before it (an input:
always), and one of its users is that step or has to come after it (an output: always). The bound is the largest sum of those
buffers and the scratch of the step, less the most that operands which may die there and results which may be born there can
overlap. All inputs together, and all outputs together, are steps of their own.

It looks at one step at a time, so the best plan may lie above it: no order may reach all steps' bounds, and no offsets the
order's.
"""

from __future__ import annotations

from lichen.plan.footprint import Footprints, mask
from lichen.plan.problem import Problem


def lower_bound(problem: Problem) -> int:
    """Bytes that no plan for `problem` can go below."""
    footprints = Footprints(problem)
    before = ancestors(problem)
    after = [mask(t for t in range(len(before)) if before[t] >> s & 1) for s in range(len(before))]
    outputs = sum(b.size for b in problem.buffers if b.name in problem.outputs)
    steps = (_step_bound(footprints, s, before[s], after[s]) for s in range(len(before)))
    return max(footprints.entry()[0], outputs, *steps, 0)


def ancestors(problem: Problem) -> list[int]:
    """For each step the bit mask of all steps that have to come before it, directly or not."""
    before: list[int] = []
    for predecessors in problem.predecessors:
        before.append(mask(predecessors))
        for p in predecessors:
            before[-1] |= before[p]
    return before


def _step_bound(footprints: Footprints, step: int, before: int, after: int) -> int:
    buffers, this = footprints.problem.buffers, 1 << step
    dying, born, through = [], [], footprints.problem.steps[step].scratch
    for b, users in enumerate(footprints.users):
        writers = mask(footprints.problem.writers[buffers[b].name])
        there_before = footprints.is_input[b] or bool(writers & before)
        there_after = footprints.is_output[b] or bool(users & after)
        read, written = b in footprints.reads[step], b in footprints.writes[step]
        if (there_before or written) and (there_after or users & this):
            if read and not there_after:
                dying.append(b)
            elif written and not there_before:
                born.append(b)
            else:
                through += buffers[b].size
    return through + footprints.union(step, tuple(dying), tuple(born))
