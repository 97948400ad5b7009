"""The order of execution that needs the fewest bytes at its worst step, offsets aside.

The sets of steps done so far are the nodes of a graph, running one more step is an edge, and its bytes in use are the edge's
cost. The best order is the path whose most expensive edge is cheapest: Dijkstra's algorithm with `max` for the sum. Two things
keep it small: costs below the lower bound count as the lower bound, so the search dives while nothing is lost; and a step that
is ready, costs no more than the path already does and leaves no more bytes alive than before is taken at once, since bringing
such a step forward never makes another step more expensive. Where the graph still has too many sets, a beam search over the
same edges takes over.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

from lichen.plan.footprint import Footprints, mask
from lichen.plan.problem import Problem

_MAX_SETS = 20_000
_BEAM_WIDTH = 32


@dataclass(frozen=True)
class Order:
    """Steps by index; `footprint` is the worst step's, `exact` says that no order has less."""

    steps: tuple[int, ...]
    footprint: int
    exact: bool


@dataclass(frozen=True)
class _Path:
    """Steps done in turn: the worst footprint so far, the bytes alive now, the last step and the way to it."""

    worst: int
    done: int
    live: int
    last: int = -1
    before: _Path | None = None

    def steps(self) -> tuple[int, ...]:
        steps, path = [], self
        while path.before is not None:
            steps.append(path.last)
            path = path.before
        return tuple(reversed(steps))


def best_order(problem: Problem, lower_bound: int, *, max_sets: int = _MAX_SETS) -> Order:
    """The best order, exact when found within `max_sets` sets of done steps. Deterministic; the listed order wins ties."""
    search = _Search(problem, lower_bound)
    path = search.dijkstra(max_sets)
    if path is not None:
        return Order(path.steps(), path.worst, exact=True)
    listed = search.follow(range(len(problem.steps)))
    path = min(listed, search.beam(_BEAM_WIDTH), key=lambda path: path.worst)
    return Order(path.steps(), path.worst, exact=path.worst == lower_bound)


class _Search:
    def __init__(self, problem: Problem, lower_bound: int) -> None:
        self.footprints = Footprints(problem)
        self.needs = [mask(p) for p in problem.predecessors]
        self.count = len(problem.steps)
        self.start = _Path(lower_bound, 0, self.footprints.entry()[1])

    def dijkstra(self, max_sets: int) -> _Path | None:
        # The most advanced of equally good paths goes first; then the one found first, which prefers the listed order.
        queue, found, seen = [(self.start.worst, 0, 0, self.start)], 0, set[int]()
        while queue and len(seen) < max_sets:
            path = heapq.heappop(queue)[-1]
            if path.done in seen:
                continue
            seen.add(path.done)
            if path.done.bit_count() == self.count:
                return path
            for longer in self.extend(path):
                if longer.done not in seen:
                    found += 1
                    heapq.heappush(queue, (longer.worst, -longer.done.bit_count(), found, longer))
        return None

    def beam(self, width: int) -> _Path:
        beam = [self.start]
        while beam[0].done.bit_count() < self.count:
            best: dict[int, _Path] = {}
            for path in beam:
                for longer in self.extend(path):
                    if longer.done not in best or longer.worst < best[longer.done].worst:
                        best[longer.done] = longer
            beam = sorted(best.values(), key=lambda path: (path.worst, path.live))[:width]
        return beam[0]

    def follow(self, steps: range) -> _Path:
        path = self.start
        for step in steps:
            path = self.run(path, step)
        return path

    def extend(self, path: _Path) -> list[_Path]:
        """The paths one step longer; only one when it cannot be wrong."""
        longer = []
        for step in self.ready(path.done):
            longer.append(self.run(path, step))
            if longer[-1].worst == path.worst and longer[-1].live <= path.live:
                return longer[-1:]
        return longer

    def ready(self, done: int) -> Iterator[int]:
        return (s for s in range(self.count) if not done >> s & 1 and not self.needs[s] & ~done)

    def run(self, path: _Path, step: int) -> _Path:
        during, after = self.footprints.run(step, path.done, path.live)
        return _Path(max(path.worst, during), path.done | 1 << step, after, step, path)
