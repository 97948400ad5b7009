"""The independent check of a plan: a replay in which every byte of the arena knows whose it is.

Nothing here comes from the planner but the question and its answer. Lifetimes, conflicts and leads play no part: writing gives
a byte to a buffer, reading demands that the byte is the buffer's. Within a step the time of every byte's first write and last
read is worked out from its accesses, so a result may eat an operand exactly as far as the kernel's order allows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lichen.errors import LichenError
from lichen.ir.accesses import Intervals
from lichen.plan.check_streamed import StreamedReplay
from lichen.plan.plan import Plan
from lichen.plan.problem import Problem, Step

_NOBODY = -1  # a byte that nobody has written, or that scratch or two writers at once have spoilt


class PlanError(LichenError):
    """A plan would compute wrong results; the sentence names the step, the buffer and the byte."""


def check_plan(problem: Problem, plan: Plan) -> None:
    """Raises `PlanError` unless every step of `plan` finds the bytes it reads, and the outputs hold at the end."""
    _check_order(problem, plan)
    _check_places(problem, plan)
    arena = _Arena(problem, plan)
    arena.fill_inputs()
    for name in plan.order:
        arena.run(problem.steps[problem.step_index[name]])
    arena.check_outputs()


def _check_order(problem: Problem, plan: Plan) -> None:
    if sorted(plan.order) != sorted(step.name for step in problem.steps):
        missing = sorted({step.name for step in problem.steps} - set(plan.order))
        _refuse(f"its order has to name every step once, but has {len(plan.order)} entries and lacks {missing}")
    done = set()
    for name in plan.order:
        for earlier in problem.steps[problem.step_index[name]].after:
            if earlier not in done:
                _refuse(f"step {name!r} runs before step {earlier!r}, which has to come first")
        done.add(name)


def _check_places(problem: Problem, plan: Plan) -> None:
    for kind, wanted, offsets in (
        ("buffer", {b.name: (b.size, b.alignment) for b in problem.buffers}, plan.offsets),
        (
            "the scratch of step",
            {s.name: (s.scratch, s.scratch_alignment) for s in problem.steps if s.scratch},
            plan.scratch,
        ),
    ):
        if wanted.keys() != offsets.keys():
            _refuse(f"{kind} {sorted(wanted.keys() ^ offsets.keys())[0]!r} has no place, or a place and no bytes")
        for name, (size, alignment) in wanted.items():
            offset = offsets[name]
            if offset % alignment:
                _refuse(f"{kind} {name!r} starts at byte {offset}, which is not a multiple of {alignment}")
            if not 0 <= offset <= plan.peak - size:
                _refuse(f"{kind} {name!r} takes bytes {offset} to {offset + size}, outside the arena of {plan.peak}")


class _Arena:
    def __init__(self, problem: Problem, plan: Plan) -> None:
        self.problem = problem
        self.plan = plan
        self.owner = np.full(plan.peak, _NOBODY, np.int64)

    def fill_inputs(self) -> None:
        for name in self.problem.inputs:
            self.owner[self.place(name)] = self.tag(name)
        for name in self.problem.inputs:
            self.demand(name, np.ones(self.size(name), np.bool_), "filling the inputs spoils")

    def run(self, step: Step) -> None:
        if step.parts:
            self.run_streamed(step)
            return
        scratch = np.zeros(len(self.owner), np.bool_)
        if step.scratch:
            start = self.plan.scratch[step.name]
            scratch[start : start + step.scratch] = True
            self.owner[scratch] = _NOBODY
        lasts = {name: _last_access(step.accesses.writes[i], self.size(name)) for i, name in enumerate(step.writes)}
        firsts = {name: _first_access(step.accesses.writes[i], self.size(name)) for i, name in enumerate(step.writes)}
        for name, last in lasts.items():
            spoilt = np.flatnonzero((last >= 0) & scratch[self.place(name)])
            if spoilt.size:
                _refuse(f"step {step.name!r} writes byte {spoilt[0]} of {name!r} into its own scratch")
        for i, name in enumerate(step.reads):
            last_read = _last_access(step.accesses.reads[i], self.size(name))
            self.demand(name, last_read >= 0, f"step {step.name!r} reads")
            for result, first_write in firsts.items():
                self.check_race(step, name, last_read, result, first_write)
        self.give(lasts)

    def run_streamed(self, step: Step) -> None:
        names = (*step.reads, *step.writes)
        starts = {name: self.plan.offsets[name] for name in names}
        sizes, tags = {name: self.size(name) for name in names}, {name: self.tag(name) for name in names}
        number = self.problem.step_index[step.name]
        StreamedReplay(step, number, self.owner, starts, sizes, tags, _refuse).run(_first_access, _last_access)

    def check_race(
        self, step: Step, operand: str, last_read: NDArray[np.int64], result: str, first_write: NDArray[np.int64]
    ) -> None:
        """Refuses a byte that is written for `result` while `operand` still has to be read there."""
        mine, theirs = self.place(operand), self.place(result)
        begin, end = max(mine.start, theirs.start), min(mine.stop, theirs.stop)
        if begin >= end:
            return
        read = last_read[begin - mine.start : end - mine.start]
        write = first_write[begin - theirs.start : end - theirs.start]
        # An atomic access reads before it writes, so it may overwrite what it has just read.
        lost = np.flatnonzero((write < read) if step.accesses.atomic else (write <= read))
        if lost.size:
            byte = begin - mine.start + int(lost[0])
            _refuse(
                f"step {step.name!r} overwrites byte {byte} of {operand!r} with {result!r} in access {write[lost[0]]}, "
                f"but reads it as late as access {read[lost[0]]}"
            )

    def give(self, lasts: dict[str, NDArray[np.int64]]) -> None:
        """Gives every written byte to its last writer."""
        when = np.full(len(self.owner), -1, np.int64)
        for name, last in lasts.items():
            so_far, owner = when[self.place(name)], self.owner[self.place(name)]
            owner[(last >= 0) & (last > so_far)] = self.tag(name)
            owner[(last >= 0) & (last == so_far)] = _NOBODY
            np.maximum(so_far, last, out=so_far)

    def check_outputs(self) -> None:
        for name in self.problem.outputs:
            self.demand(name, np.ones(self.size(name), np.bool_), "the end needs")

    def demand(self, name: str, bytes_needed: NDArray[np.bool_], who: str) -> None:
        owner = self.owner[self.place(name)]
        wrong = np.flatnonzero(bytes_needed & (owner != self.tag(name)))
        if wrong.size:
            found = owner[wrong[0]]
            known = 0 <= found < len(self.problem.buffers)
            holds = f"a byte of {self.problem.buffers[found].name!r}" if known else "nothing of use"
            _refuse(f"{who} byte {wrong[0]} of {name!r}, which holds {holds} by then")

    def place(self, name: str) -> slice:
        offset = self.plan.offsets[name]
        return slice(offset, offset + self.size(name))

    def size(self, name: str) -> int:
        return self.problem.buffer(name).size

    def tag(self, name: str) -> int:
        return self.problem.buffer_index[name]


def _last_access(intervals: Intervals, size: int) -> NDArray[np.int64]:
    """For each of `size` bytes the last row of `intervals` that contains it, or -1.

    A sparse table turned round: an interval is two blocks of a power of two, and blocks are handed down to their halves. So the
    time is that of `size` and of the number of intervals, however long those are.
    """
    rows = np.flatnonzero(intervals[:, 0] < intervals[:, 1])
    if not rows.size:
        return np.full(size, -1, np.int64)
    lo, hi = intervals[rows, 0], intervals[rows, 1]
    level = np.frexp(hi - lo)[1].astype(np.int64) - 1
    blocks: NDArray[np.int64] = np.full((int(level.max()) + 1, size), -1, np.int64)
    flat = blocks.reshape(-1)
    np.maximum.at(flat, level * size + lo, rows)
    np.maximum.at(flat, level * size + hi - (1 << level), rows)
    for high in range(len(blocks) - 1, 0, -1):
        half = 1 << (high - 1)
        np.maximum(blocks[high - 1], blocks[high], out=blocks[high - 1])
        np.maximum(blocks[high - 1, half:], blocks[high, :-half], out=blocks[high - 1, half:])
    latest: NDArray[np.int64] = blocks[0]
    return latest


def _first_access(intervals: Intervals, size: int) -> NDArray[np.int64]:
    """For each of `size` bytes the first row of `intervals` that contains it, or a row beyond all."""
    return len(intervals) - 1 - _last_access(intervals[::-1], size)


def _refuse(sentence: str) -> None:
    raise PlanError(f"the memory plan is wrong: {sentence}")
