"""The bytes a step needs at once, whatever the offsets."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cache

from lichen.plan.lead import Clearance, clearance
from lichen.plan.problem import Buffer, Problem
from lichen.plan.streamed import held, most_held


class Footprints:
    """The memory of steps run one after the other; sets of steps and of buffers are bit masks.

    A buffer is alive from its first writer (an input: from the start) to its last user (an output: to the end).
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.users = tuple(mask((*problem.writers[b.name], *problem.readers[b.name])) for b in problem.buffers)
        self.is_input = tuple(b.name in problem.inputs for b in problem.buffers)
        self.is_output = tuple(b.name in problem.outputs for b in problem.buffers)
        index = problem.buffer_index
        self.reads = tuple(tuple(dict.fromkeys(index[name] for name in step.reads)) for step in problem.steps)
        self.writes = tuple(tuple(index[name] for name in step.writes) for step in problem.steps)
        self.clearance = cache(self._clearance)
        self.union = cache(self._union)
        self.held = cache(lambda step, b: held(problem.steps[step], problem.buffers[b]))

    def entry(self) -> tuple[int, int]:
        """The bytes of all inputs, and of those that anything needs."""
        sizes = [(b.size, i) for i, b in enumerate(self.problem.buffers) if self.is_input[i]]
        return sum(size for size, _ in sizes), sum(size for size, i in sizes if self.users[i] or self.is_output[i])

    def run(self, step: int, done: int, live: int) -> tuple[int, int]:
        """Runs `step` after the steps `done`, with `live` bytes alive: the least bytes in use meanwhile, and alive after it."""
        buffers, left = self.problem.buffers, ~(done | 1 << step)
        touched = (*self.reads[step], *self.writes[step])
        ends = {b for b in touched if not self.users[b] & left and not self.is_output[b]}
        starts = tuple(b for b in self.writes[step] if not self.users[b] & done)
        dying = tuple(b for b in self.reads[step] if b in ends)
        through = live - sum(buffers[b].size for b in dying)
        during = through + self.problem.steps[step].scratch + self.union(step, dying, starts)
        after = live + sum(buffers[b].size for b in starts) - sum(buffers[b].size for b in ends)
        return during, after

    def hands_over(self, step: int, ends: int, starts: int) -> bool:
        """Whether buffer `starts` may take memory of buffer `ends` within the step: that of an operand, or of a ring."""
        is_ring = self.problem.buffers[ends].name in self.problem.steps[step].rings
        return starts in self.writes[step] and ends != starts and (is_ring or ends in self.reads[step])

    def _clearance(self, step: int, operand: int, result: int) -> Clearance:
        buffers = self.problem.buffers
        return clearance(self.problem.steps[step], buffers[operand], buffers[result])

    def _union(self, step: int, dying: tuple[int, ...], born: tuple[int, ...]) -> int:
        """The least bytes that operands `dying` in the step and results `born` in it cover together.

        Exact for a pair, a lower bound for more: every two overlap as far as they may, but no buffer by more than its size. Of a
        streamed step what they hold at its worst part.
        """
        buffers = self.problem.buffers
        if self.problem.steps[step].parts:
            return most_held([self.held(step, b) for b in (*dying, *born)])

        def shared(a: int, b: int) -> int:
            return overlap(self.clearance(step, a, b), buffers[a], buffers[b])

        by_operand = sum(min(buffers[a].size, sum(shared(a, b) for b in born)) for a in dying)
        by_result = sum(min(buffers[b].size, sum(shared(a, b) for a in dying)) for b in born)
        return sum(buffers[b].size for b in (*dying, *born)) - min(by_operand, by_result)


def overlap(allowed: Clearance, first: Buffer, second: Buffer) -> int:
    """The most bytes two buffers can share at an allowed distance."""
    # Shared bytes rise with the distance, stay level while one lies inside the other, then fall.
    level_from, level_to = sorted((0, first.size - second.size))
    if allowed.free:
        best: Collection[int] = (level_from,)
    else:
        best = (min(allowed.below, level_to), max(allowed.above, level_from))
    return max(max(0, min(first.size, d + second.size) - max(0, d)) for d in best)


def mask(indices: Iterable[int]) -> int:
    """The set of `indices` as a bit mask."""
    bits = 0
    for index in indices:
        bits |= 1 << index
    return bits
