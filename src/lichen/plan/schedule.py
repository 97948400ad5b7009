"""Which consecutive operations are streamed together: all choices that no other beats in both memory and time.

How this works inside: a schedule cuts the function into single layers and regions. What a piece needs in RAM is known without
planning it: what it holds itself at its worst call, and the tensors that live on beside it. So the best cut under a limit is a
shortest path over the positions between operations, on which pieces that need more than the limit are forbidden and each streamed
row costs one. Lowering the limit below what was found, again and again, gives the front. Each of its schedules is then planned, for
offsets may need a little more than the worst piece, and only those stay that save memory.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lichen.errors import InputError
from lichen.ir.kernel import Core
from lichen.ir.module import Function, Value
from lichen.plan.footprint import Footprints
from lichen.plan.lower import problem_of
from lichen.plan.planner import make_plan
from lichen.plan.rows import MOST_STAGES, Region, Streams, inputs_by_rows, row_bytes

KINDS = ("layers", "stream", "auto")


@dataclass(frozen=True)
class Schedule:
    """Regions to stream, in order; the rest runs layer by layer. `arena` bytes as planned, `rows` streamed kernel calls.

    No row is computed twice, so the MACs are those of the function.
    """

    regions: tuple[Region, ...]
    arena: int

    @property
    def rows(self) -> int:
        return sum(len(region.calls) for region in self.regions)

    @property
    def input_rows(self) -> bool:
        """Whether an input comes row by row."""
        return any(region.sources for region in self.regions)


def choose(function: Function, core: Core, kind: str, ram: int, input_rows: bool = False) -> Schedule:
    """The schedule called `kind`: `layers`, `stream` (the least memory) or `auto`: the fastest whose arena fits into `ram` bytes.

    Where none does, `auto` is the one of the least memory, too. With `input_rows`, `layers` streams what has to be for inputs to come
    by rows. Raises `InputError` for any other kind, and where no input can come by rows.
    """
    if kind not in KINDS:
        raise InputError(f"--schedule {kind} is not one of {', '.join(KINDS)}")
    if kind == "layers" and not input_rows:
        return _planned(function, core, ())
    schedules = front(function, core, input_rows)
    fitting = [s for s in schedules if s.arena <= ram]
    return schedules[0] if kind == "layers" else fitting[0] if kind == "auto" and fitting else schedules[-1]


def front(function: Function, core: Core, input_rows: bool = False) -> list[Schedule]:
    """From layer by layer to the least memory: every schedule needs less memory, and streams more rows, than the one before.

    With `input_rows` those schedules in which all inputs that can come row by row do, each to the region that reads it. Raises
    `InputError` where none can.
    """
    cuts = _Cuts(function, core, inputs_by_rows(function) if input_rows else ())
    found: list[Schedule] = []
    limit: float = math.inf
    while (cut := cuts.best(limit)) is not None:
        limit = cut.need - 1
        schedule = _planned(function, core, cut.regions)
        if not found or schedule.arena < found[-1].arena:
            found.append(schedule)
            limit = min(limit, schedule.arena - 1)
    return found


def _planned(function: Function, core: Core, regions: tuple[Region, ...]) -> Schedule:
    problem, _ = problem_of(function, core, regions)
    return Schedule(regions, make_plan(problem, exact=False).peak)


@dataclass(frozen=True)
class _Cut:
    regions: tuple[Region, ...]
    need: int
    """Bytes of the piece that needs most."""


@dataclass(frozen=True)
class _Piece:
    end: int
    need: int
    rows: int
    region: Region | None


class _Cuts:
    """All pieces that a function can be cut into, by the position where they begin."""

    def __init__(self, function: Function, core: Core, sources: Sequence[Value]) -> None:
        self.function, self.count = function, len(function.operations)
        self.problem, self.names = problem_of(function, core)
        self.footprints = Footprints(self.problem)
        self.streams = Streams(function, sources)
        position = {op: i for i, op in enumerate(function.operations)}
        steps = {name: position[op] for name, op in self.names.operation.items()}
        self.step_at = {steps[step.name]: s for s, step in enumerate(self.problem.steps)}
        self.lives = []
        for buffer in self.problem.buffers:
            name = buffer.name
            users = [
                steps[self.problem.steps[s].name] for s in (*self.problem.writers[name], *self.problem.readers[name])
            ]
            is_there = name in self.problem.inputs and all(value.name != name for value in sources)
            first = -1 if is_there else min(users)
            last = self.count if name in self.problem.outputs else max(users, default=-1)
            self.lives.append((first, last))
        self.pieces = [self._from(begin) for begin in range(self.count)]

    def best(self, limit: float) -> _Cut | None:
        """The cut that streams fewest rows, and then into fewest pieces, of all whose pieces need at most `limit` bytes."""
        ways: list[tuple[int, int, int, _Piece | None] | None] = [(0, 0, 0, None), *[None] * self.count]
        for begin, pieces in enumerate(self.pieces):
            here = ways[begin]
            for piece in pieces:
                if here is not None and piece.need <= limit:
                    rows, cuts = here[0] + piece.rows, here[1] + 1
                    there = ways[piece.end]
                    if there is None or (rows, cuts) < there[:2]:
                        ways[piece.end] = rows, cuts, begin, piece
        taken: list[_Piece] = []
        position = self.count
        while position:
            way = ways[position]
            if way is None or way[3] is None:
                return None
            taken.append(way[3])
            position = way[2]
        regions = tuple(piece.region for piece in reversed(taken) if piece.region is not None)
        return _Cut(regions, max((piece.need for piece in taken), default=0))

    def _from(self, begin: int) -> list[_Piece]:
        read = self.function.operations[begin].operands
        is_layer = not any(source.result in read for source in self.streams.sources)
        pieces = [_Piece(begin + 1, self._layer(begin), 0, None)] if is_layer else []
        for end in range(begin + 1, min(self.count, begin + MOST_STAGES) + 1):
            if self.streams.stages[end - 1] is None:
                break
            if self.streams.allows(begin, end) and not (is_layer and end == begin + 1):
                region = self.streams.region(begin, end)
                need = self._beside(begin, end) + self._held(region, begin, end)
                pieces.append(_Piece(end, need, len(region.calls), region))
        return pieces

    def _beside(self, begin: int, end: int) -> int:
        """Bytes that are there before the piece and needed after it."""
        return sum(
            b.size
            for b, (first, last) in zip(self.problem.buffers, self.lives, strict=True)
            if first < begin and last >= end
        )

    def _layer(self, position: int) -> int:
        if position not in self.step_at:
            return 0  # a view
        step, lives = self.step_at[position], list(enumerate(self.lives))
        dying = tuple(b for b, (first, last) in lives if first < position == last)
        born = tuple(b for b, (first, _) in lives if first == position)
        scratch = self.problem.steps[step].scratch
        return self._beside(position, position + 1) + scratch + self.footprints.union(step, dying, born)

    def _held(self, region: Region, begin: int, end: int) -> int:
        """The most that a region holds at any of its calls, of rings, results, and operands that die in it."""
        calls = np.asarray(region.calls)
        total = np.zeros(len(calls), np.int64)
        alive = {owner: np.zeros(len(calls) + 1, np.int64) for owner in region.rings}
        oldest: dict[Value, NDArray[np.int64]] = {}
        turns = [np.flatnonzero(calls == i) for i in range(len(region.stages))]
        last_read = {
            stage.result: turn.copy()
            for stage, turn in zip(region.stages, turns, strict=True)
            if stage.result in region.home
        }
        for stage, turn in zip(region.stages, turns, strict=True):
            if stage.result not in region.home:
                total += row_bytes(stage.result) * np.searchsorted(turn, np.arange(len(calls)), side="right")
            for value, ranges in stage.needs.items():
                first, last = ranges[: len(turn)].T
                if value in region.home:  # windows only move down, so the last that reaches a row reads it last
                    row = np.arange(len(last_read[value]))
                    reader = np.maximum(np.searchsorted(first, row, side="right") - 1, 0)
                    reads = np.where((first[reader] <= row) & (row < last[reader]), turn[reader], 0)
                    np.maximum(last_read[value], reads, out=last_read[value])
                elif value not in region.results:
                    rows = oldest.setdefault(value, np.full(len(calls), value.type.shape[1], np.int64))
                    rows[turn] = np.minimum(rows[turn], first)
        for stage, turn in zip(region.stages, turns, strict=True):
            if stage.result in region.home:
                holds = alive[region.home[stage.result]]
                np.add.at(holds, turn, 1)
                np.subtract.at(holds, last_read[stage.result] + 1, 1)
        for owner, rings in region.rings.items():
            total += rings * row_bytes(owner) * (np.cumsum(alive[owner])[:-1] > 0)
        index = self.problem.buffer_index
        for value, rows in oldest.items():
            if begin <= self.lives[index[self.names.buffer[value]]][1] < end:
                total += row_bytes(value) * (value.type.shape[1] - np.minimum.accumulate(rows[::-1])[::-1])
        return int(total.max())
