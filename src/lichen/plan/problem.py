"""What the planner is asked: buffers, and steps that read and write them in a known order of bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lichen.errors import LichenError
from lichen.ir.accesses import Accesses, Intervals


class ProblemError(LichenError):
    """A planning problem contradicts itself."""


@dataclass(frozen=True)
class Buffer:
    """`size` bytes that need a place in the arena, at a multiple of `alignment` (a power of two)."""

    name: str
    size: int
    alignment: int = 1


@dataclass(frozen=True)
class Rows:
    """A tensor that is kept by rows, or some columns of it: row `y`, of `row_bytes` bytes, lies in `buffer` at byte
    `start + (y - first modulo rows) * pitch`.
    """

    tensor: str
    buffer: str
    rows: int
    row_bytes: int
    pitch: int
    start: int = 0
    first: int = 0


@dataclass(frozen=True)
class Part:
    """One kernel call of a streamed step. The intervals of its accesses are relative to the start of tensors that have all rows, and no column
    but those that are listed.
    """

    reads: tuple[Rows, ...]
    writes: tuple[Rows, ...]
    accesses: Accesses


@dataclass(frozen=True)
class Step:
    """One kernel call, or a streamed region of them.

    `reads` names the buffer of each operand and `writes` that of each result; `accesses` has an entry for every one of them,
    with intervals relative to the start of the buffer. `scratch` bytes belong to the step while it runs. `after` names earlier
    steps that must come first for a reason no buffer shows, such as the order of accesses to the module's state.

    A streamed step runs its `parts` one after the other, and access `k` is part `k`. Among its results are `rings`, buffers of the
    newest rows of tensors that only exist within the step.
    """

    name: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    accesses: Accesses
    scratch: int = 0
    scratch_alignment: int = 1
    after: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    rings: frozenset[str] = frozenset()

    def reads_of(self, buffer: str) -> list[Intervals]:
        """The read intervals of every operand that is `buffer`; an operand may be used twice."""
        return [self.accesses.reads[i] for i, name in enumerate(self.reads) if name == buffer]

    def writes_of(self, buffer: str) -> Intervals:
        """The written intervals of the result that is `buffer`."""
        return self.accesses.writes[self.writes.index(buffer)]

    @cached_property
    def ring_lives(self) -> dict[str, NDArray[np.bool_]]:
        """Of each ring, at which parts it holds a row that this part writes or reads, or a later one reads."""
        lives = {ring: np.zeros(len(self.parts), np.bool_) for ring in self.rings}
        written: dict[tuple[str, int], int] = {}
        for k, part in enumerate(self.parts):
            for i, rows in enumerate(part.reads):
                if rows.buffer in lives:
                    lo, hi = _hull([part.accesses.reads[i]])
                    touched = range(lo // rows.row_bytes, -(-hi // rows.row_bytes))
                    since = min((written[rows.tensor, row] for row in touched), default=k)
                    lives[rows.buffer][since : k + 1] = True
            for i, rows in enumerate(part.writes):
                if rows.buffer in lives:
                    lo, hi = _hull([part.accesses.writes[i]])
                    written.update(
                        ((rows.tensor, row), k) for row in range(lo // rows.row_bytes, -(-hi // rows.row_bytes))
                    )
                    lives[rows.buffer][k] = True
        return lives


@dataclass(frozen=True)
class Problem:
    """Steps in one valid order, over buffers. Raises `ProblemError` when it contradicts itself.

    Every byte of a buffer is written by at most one step, those of `inputs` by none: they are there from the start. `outputs`
    must hold at the end. A buffer may be filled piecewise by several steps; a reader waits for the steps that write what it
    reads.
    """

    buffers: tuple[Buffer, ...]
    steps: tuple[Step, ...]
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_names("buffer", [b.name for b in self.buffers])
        _check_names("step", [s.name for s in self.steps])
        for buffer in self.buffers:
            _require(buffer.size >= 1, f"buffer {buffer.name!r} has {buffer.size} bytes; give it at least 1")
            _check_alignment(f"buffer {buffer.name!r}", buffer.alignment)
        for kind, names in (("input", self.inputs), ("output", self.outputs)):
            _check_names(kind, names)
            for name in names:
                _require(name in self.buffer_index, f"{kind} {name!r} is not a buffer")
        for step in self.steps:
            self._check_step(step)
        for buffer in self.buffers:
            self._check_users(buffer)
        self._check_order()

    @cached_property
    def buffer_index(self) -> dict[str, int]:
        """Position of each buffer in `buffers`."""
        return {buffer.name: i for i, buffer in enumerate(self.buffers)}

    @cached_property
    def step_index(self) -> dict[str, int]:
        """Position of each step in `steps`."""
        return {step.name: i for i, step in enumerate(self.steps)}

    @cached_property
    def writers(self) -> dict[str, tuple[int, ...]]:
        """The steps that write each buffer, as listed."""
        return self._users(lambda step: step.writes)

    @cached_property
    def readers(self) -> dict[str, tuple[int, ...]]:
        """The steps that read each buffer, as listed."""
        return self._users(lambda step: step.reads)

    @cached_property
    def predecessors(self) -> tuple[frozenset[int], ...]:
        """For each step those that must come before it: the writers of what it reads, and its `after`."""
        return tuple(
            frozenset(self.step_index[name] for name in step.after)
            | {writer for name in step.reads for writer in self._feeders(step, name)}
            for step in self.steps
        )

    def buffer(self, name: str) -> Buffer:
        """The buffer called `name`."""
        return self.buffers[self.buffer_index[name]]

    def _users(self, names: Callable[[Step], Sequence[str]]) -> dict[str, tuple[int, ...]]:
        users: dict[str, list[int]] = {buffer.name: [] for buffer in self.buffers}
        for i, step in enumerate(self.steps):
            for name in dict.fromkeys(names(step)):
                users[name].append(i)
        return {name: tuple(steps) for name, steps in users.items()}

    def _feeders(self, reader: Step, buffer: str) -> Sequence[int]:
        """The writers of the pieces that `reader` touches; all if it touches none, so that it never runs before the first."""
        lo, hi = _hull(reader.reads_of(buffer))
        pieces = [(writer, *_hull([self.steps[writer].writes_of(buffer)])) for writer in self.writers[buffer]]
        return [writer for writer, first, last in pieces if max(lo, first) < min(hi, last)] or self.writers[buffer]

    def _check_step(self, step: Step) -> None:
        where = f"step {step.name!r}"
        for kind, names, intervals in (
            ("operand", step.reads, step.accesses.reads),
            ("result", step.writes, step.accesses.writes),
        ):
            for name in names:
                _require(name in self.buffer_index, f"{kind} {name!r} of {where} is not a buffer")
            _require(
                sorted(intervals) == list(range(len(names))),
                f"the accesses of {where} name {kind}s {sorted(intervals)}, but it has {len(names)}; state them all",
            )
            for i, name in enumerate(names):
                _check_intervals(intervals[i], step.accesses.count, self.buffer(name), f"{kind} {name!r} of {where}")
        for name in step.after:
            _require(name in self.step_index, f"{where} must come after {name!r}, which is not a step")
        _check_names(f"result of {where}", step.writes)
        _require(
            len(step.parts) in (0, step.accesses.count),
            f"{where} has {len(step.parts)} parts and {step.accesses.count} accesses",
        )
        for part in step.parts:
            for rows in part.reads:
                _require(
                    rows.buffer in (*step.reads, *step.rings, *step.writes), f"{where} does not list {rows.buffer!r}"
                )
            for rows in part.writes:
                _require(rows.buffer in step.writes, f"{where} does not list {rows.buffer!r} among its results")
        for name in step.rings:
            users = [other.name for other in self.steps if name in (*other.reads, *other.writes)]
            _require(users == [step.name] and name not in self.outputs, f"ring {name!r} of {where} is used elsewhere")
        both = sorted(set(step.reads) & set(step.writes))
        _require(not both, f"{where} reads and writes {both}; give the result a buffer of its own")
        _require(step.scratch >= 0, f"{where} asks for {step.scratch} bytes of scratch; that cannot be negative")
        _check_alignment(f"the scratch of {where}", step.scratch_alignment)

    def _check_users(self, buffer: Buffer) -> None:
        name = buffer.name
        writers = self.writers[name]
        if name in self.inputs:
            _require(not writers, f"input {name!r} is written by a step; copy it to a buffer of its own first")
        elif not writers:
            _fail(f"buffer {name!r} is neither an input nor written by any step")
        if len(writers) > 1:
            covered = np.zeros(buffer.size, np.int64)
            for writer in writers:
                covered += _covered(self.steps[writer].writes_of(name), buffer.size)
            twice = np.flatnonzero(covered > 1)
            _require(not twice.size, f"byte {twice[:1]} of buffer {name!r} is written by more than one step")

    def _check_order(self) -> None:
        for i, step in enumerate(self.steps):
            late = [self.steps[p].name for p in sorted(self.predecessors[i]) if p >= i]
            _require(
                not late, f"step {step.name!r} is listed before {late}, which it needs; list steps in a valid order"
            )


def _hull(intervals: Sequence[Intervals]) -> tuple[int, int]:
    rows = np.concatenate(intervals)
    rows = rows[rows[:, 0] < rows[:, 1]]
    return (int(rows[:, 0].min()), int(rows[:, 1].max())) if len(rows) else (0, 0)


def _covered(intervals: Intervals, size: int) -> NDArray[np.bool_]:
    edges = np.bincount(intervals[:, 0], minlength=size + 1) - np.bincount(intervals[:, 1], minlength=size + 1)
    return np.cumsum(edges[:size]) > 0


def _check_names(kind: str, names: Sequence[str]) -> None:
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    _require(not twice, f"{kind} {twice} is named more than once")


def _check_alignment(what: str, alignment: int) -> None:
    _require(
        alignment >= 1 and alignment & (alignment - 1) == 0,
        f"{what} has alignment {alignment}, which is not a power of two",
    )


def _check_intervals(intervals: Intervals, count: int, buffer: Buffer, what: str) -> None:
    _require(
        intervals.shape == (count, 2),
        f"{what} has accesses of shape {intervals.shape}; every operand and result of a step needs ({count}, 2)",
    )
    lo, hi = intervals[:, 0], intervals[:, 1]
    _require(
        bool(np.all((lo >= 0) & (lo <= hi) & (hi <= buffer.size))),
        f"{what} is accessed outside its {buffer.size} bytes, or by an interval that ends before it starts",
    )


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        _fail(otherwise)


def _fail(sentence: str) -> None:
    raise ProblemError(f"the planning problem is wrong: {sentence}")
