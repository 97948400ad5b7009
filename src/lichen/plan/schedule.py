"""Which consecutive operations are streamed together: all choices that no other beats in both memory and time.

How this works inside: a schedule cuts the function into single layers and regions, and these perhaps into strips. What a piece needs
in RAM is known without planning it: what it holds itself at its worst call, and the tensors that live on beside it. So the best cut
under a limit is a shortest path over the positions between operations, on which pieces that need more than the limit are forbidden
and a piece costs what it computes twice and the rows it streams. Lowering the limit below what was found, again and again, gives the
front. Each of its schedules is then planned, for offsets may need a little more than the worst piece, and only those stay that save
memory.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

import numpy as np

from lichen.errors import InputError
from lichen.ir.kernel import Core
from lichen.ir.module import Function, Value
from lichen.ir.operator import operator
from lichen.plan.footprint import Footprints
from lichen.plan.lower import problem_of
from lichen.plan.need import Need
from lichen.plan.planner import sketch
from lichen.plan.rows import MOST_STAGES, Region, Streams, inputs_by_rows, row_calls
from lichen.plan.slide import slid
from lichen.plan.strips import in_strips

_MOST_WORK = 2
"""Strips that multiply a region's work by more are not considered."""

KINDS = ("layers", "stream", "auto")


@dataclass(frozen=True)
class Schedule:
    """Regions to stream, in order; the rest runs layer by layer. `arena` bytes as planned, `macs` of the whole function, what strips
    compute twice counted twice.
    """

    regions: tuple[Region, ...]
    arena: int
    macs: int

    @property
    def more_macs(self) -> int:
        """What strips compute that is computed already."""
        return sum(max(0, region.macs - replace(region, strips=()).macs) for region in self.regions)

    @property
    def rows(self) -> int:
        """Rows that are computed, and moved."""
        return sum(region.rows for region in self.regions)

    @property
    def input_rows(self) -> bool:
        """Whether an input comes row by row."""
        return any(region.sources for region in self.regions)


def choose(
    function: Function, core: Core, kind: str, ram: int, input_rows: bool = False, rows_again: bool = False
) -> Schedule:
    """The schedule called `kind`: `layers`, `stream` (the least memory of those that compute nothing twice) or `auto`: the fastest
    whose arena fits into `ram` bytes, which is the one of fewest MACs and then of fewest streamed rows.

    Where none fits, `auto` is the one of the least memory. With `input_rows`, `layers` streams what has to be for inputs to come by
    rows. Raises `InputError` for any other kind, and where no input can come by rows.
    """
    if kind not in KINDS:
        raise InputError(f"--schedule {kind} is not one of {', '.join(KINDS)}")
    if kind == "layers" and not input_rows:
        return _planned(function, core, ())
    schedules = _front(function, core, input_rows, rows_again)  # planned one by one, so no further than it takes
    if kind == "layers":
        return next(schedules)
    if kind == "stream":
        return list(takewhile(lambda schedule: not schedule.more_macs, schedules))[-1]
    for schedule in schedules:
        if schedule.arena <= ram:
            break
    return schedule


def front(function: Function, core: Core, input_rows: bool = False, rows_again: bool = False) -> list[Schedule]:
    """From layer by layer to the least memory: every schedule needs less memory than the one before, and computes more twice or, if
    that is the same, streams more rows or, if that is the same too, more pieces.

    With `input_rows` those schedules in which all inputs that can come row by row do, each to the region that reads it, and with
    `rows_again` that region may be evaluated in strips, for each of which the input comes once more. Raises `InputError` where no
    input can come by rows.
    """
    return list(_front(function, core, input_rows, rows_again))


def _front(function: Function, core: Core, input_rows: bool, rows_again: bool) -> Iterator[Schedule]:
    cuts = _Cuts(function, core, inputs_by_rows(function) if input_rows else (), rows_again)
    least: float = math.inf
    limit: float = math.inf
    while limit >= 0 and (cut := cuts.best(limit)) is not None:  # without operations the only cut needs nothing
        limit = cut.need - 1
        schedule = _planned(function, core, cut.regions)
        if schedule.arena < least:
            yield schedule
            least = schedule.arena
            limit = min(limit, least - 1)


def with_fast_rows(function: Function, core: Core, schedule: Schedule, ram: int) -> Schedule:
    """The same regions with the fastest kernels for their rows with which the arena still fits into `ram` bytes, or grows not at all."""
    limit = max(ram, schedule.arena)
    sizes = {
        call.scratch.bytes
        for region in schedule.regions
        for one in region.passes
        for op in one.operations
        for call in row_calls(one, op, core)
    }
    best, sizes_left = schedule, sorted(sizes)
    while sizes_left:  # more scratch, more arena
        middle = len(sizes_left) // 2
        regions = tuple(replace(region, scratch=sizes_left[middle]) for region in schedule.regions)
        found = _planned(function, core, regions)
        fits = found.arena <= limit
        best = found if fits else best
        sizes_left = sizes_left[middle + 1 :] if fits else sizes_left[:middle]
    return best


def _planned(function: Function, core: Core, regions: tuple[Region, ...]) -> Schedule:
    problem, _ = problem_of(function, core, regions)
    inside = {op for region in regions for op in region.operations}
    layers = sum(operator(op.kind).macs(op) for op in function.operations if op not in inside)
    return Schedule(regions, sketch(problem).peak, layers + sum(region.macs for region in regions))


@dataclass(frozen=True)
class _Cut:
    regions: tuple[Region, ...]
    need: int
    """Bytes of the piece that needs most."""


@dataclass(frozen=True)
class _Piece:
    """What a cut is made of: a layer, or a region of streamed rows, in strips if `strips` is more than 1."""

    end: int
    need: int
    more_macs: int = 0
    """What it computes again."""
    rows: int = 0
    region: Region | None = None
    strips: int = 1

    def evaluated(self) -> Region | None:
        """The region as it is evaluated."""
        if self.region is None or self.strips == 1:
            return self.region
        return in_strips(self.region, self.strips)


class _Cuts:
    """All pieces that a function can be cut into, by the position where they begin."""

    def __init__(self, function: Function, core: Core, sources: Sequence[Value], rows_again: bool) -> None:
        self.rows_again = rows_again
        self.function, self.count = function, len(function.operations)
        self.problem, self.names = problem_of(function, core)
        self.footprints = Footprints(self.problem)
        self.streams = Streams(function, sources)
        position = {op: i for i, op in enumerate(function.operations)}
        steps = {name: position[op] for name, op in self.names.operation.items()}
        self.step_at = {steps[step.name]: s for s, step in enumerate(self.problem.steps)}
        lives = []
        for buffer in self.problem.buffers:
            name = buffer.name
            users = [
                steps[self.problem.steps[s].name] for s in (*self.problem.writers[name], *self.problem.readers[name])
            ]
            is_there = name in self.problem.inputs and all(value.name != name for value in sources)
            first = -1 if is_there else min(users)
            last = self.count if name in self.problem.outputs else max(users, default=-1)
            lives.append((first, last, buffer.size))
        self.lives = np.array(lives, np.int64).reshape(-1, 3)
        """First and last position that needs each buffer, and its bytes."""
        self.layers = [self._layer(position) for position in range(self.count)]
        """What each operation needs as a layer."""
        self.floor = int(self.lives[self.lives[:, 0] < 0, 2].sum())
        """What every cut needs: the inputs that are there from the start."""
        self.pieces = [list(self._from(begin)) for begin in range(self.count)]

    def best(self, limit: float) -> _Cut | None:
        """Of all cuts whose pieces need at most `limit` bytes the one that computes least twice, then streams fewest rows, then into
        fewest pieces.
        """
        ways: list[tuple[tuple[int, int, int], int, _Piece | None] | None] = [
            ((0, 0, 0), 0, None),
            *[None] * self.count,
        ]
        for begin, pieces in enumerate(self.pieces):
            here = ways[begin]
            if here is None:
                continue
            macs, rows, cuts = here[0]
            for piece in pieces:
                if piece.need <= limit:
                    cost = macs + piece.more_macs, rows + piece.rows, cuts + 1
                    there = ways[piece.end]
                    if there is None or cost < there[0]:
                        ways[piece.end] = cost, begin, piece
        taken: list[_Piece] = []
        position = self.count
        while position:
            way = ways[position]
            if way is None or way[2] is None:
                return None
            taken.append(way[2])
            position = way[1]
        regions = [piece.evaluated() for piece in reversed(taken)]
        found = tuple(region for region in regions if region is not None)
        return _Cut(found, max((piece.need for piece in taken), default=0))

    def _from(self, begin: int) -> Iterator[_Piece]:
        """The pieces from `begin` on that no layers in their place beat: regions need less than the worst layer in them."""
        read = self.function.operations[begin].operands
        is_layer = not any(source.result in read for source in self.streams.sources)
        worst: float = self.layers[begin] if is_layer else math.inf
        if is_layer:
            yield _Piece(begin + 1, self.layers[begin])
        for end in range(begin + 1, min(self.count, begin + MOST_STAGES) + 1):
            if self.streams.stages[end - 1] is None:
                break
            worst = max(worst, self.layers[end - 1])
            if worst > self.floor and self.streams.allows(begin, end) and not (is_layer and end == begin + 1):
                yield from self._regions(begin, end, worst)

    def _regions(self, begin: int, end: int, worst: float) -> Iterator[_Piece]:
        """The region of these operations, whole and in as many strips as save memory."""
        region, beside = self.streams.region(begin, end), self._beside(begin, end)
        dying = self._dying(region, begin, end)
        need = Need(region, dying)
        best = worst
        if beside + need.whole() < best:
            best = beside + need.whole()
            yield _Piece(end, int(best), 0, len(region.calls), region)
        apart = slid(region)
        if apart is not None and (least := beside + Need(apart, dying).whole()) < best:
            best = least
            yield _Piece(end, int(best), 0, apart.rows, apart)
        if region.sources and not self.rows_again:
            return
        width = region.results[-1].type.shape[2]
        for count in sorted({-(-width // columns) for columns in range(1, width)}):
            if beside + need.operands + need.results >= best:
                break
            found = need.in_strips(count, best - beside)
            if found is not None and found[1] <= _MOST_WORK * region.macs:
                best = beside + found[0]
                more_macs = max(0, found[1] - region.macs)
                yield _Piece(end, int(best), more_macs, count * len(region.calls), region, count)

    def _beside(self, begin: int, end: int) -> int:
        """Bytes that are there before the piece and needed after it."""
        first, last, sizes = self.lives.T
        return int(sizes[(first < begin) & (last >= end)].sum())

    def _dying(self, region: Region, begin: int, end: int) -> list[Value]:
        """The tensors from outside that are needed for the last time in the region."""
        index = self.problem.buffer_index
        read = dict.fromkeys(value for stage in region.stages for value in stage.reads)
        outside = [value for value in read if value not in region.home and value not in region.results]
        return [value for value in outside if begin <= self.lives[index[self.names.buffer[value]], 1] < end]

    def _layer(self, position: int) -> int:
        if position not in self.step_at:
            return 0  # a view
        step, (first, last, _) = self.step_at[position], self.lives.T
        dying = tuple(int(b) for b in np.flatnonzero((first < position) & (last == position)))
        born = tuple(int(b) for b in np.flatnonzero(first == position) if b in self.footprints.writes[step])
        scratch = self.problem.steps[step].scratch
        return self._beside(position, position + 1) + scratch + self.footprints.union(step, dying, born)
