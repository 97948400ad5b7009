"""What lies where in the arena at what time, according to a plan.

Time runs in operations: a layer takes one unit, a streamed region as many as it has operations, its calls evenly spread over them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lichen.ir.kernel import Core
from lichen.ir.module import Function
from lichen.plan.layout import layout
from lichen.plan.lower import problem_of
from lichen.plan.plan import Plan
from lichen.plan.planner import make_plan
from lichen.plan.problem import Problem, Step
from lichen.plan.schedule import Schedule
from lichen.plan.streamed import held

_MOST_MOMENTS = 64  # of a step; more cannot be told apart in a picture

_MOST_LETTERS = 20  # of a name


@dataclass(frozen=True)
class Band:
    """A buffer or scratch over time: between `edges[i]` and `edges[i + 1]` it holds the arena's bytes `[low[i], high[i])`."""

    name: str
    edges: NDArray[np.float64]
    low: NDArray[np.int64]
    high: NDArray[np.int64]
    is_ring: bool = False
    is_scratch: bool = False

    def at(self, moments: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """`low` and `high` at each of `moments`; both 0 where there is no such buffer."""
        index = np.searchsorted(self.edges, moments, side="right") - 1
        there = (index >= 0) & (index < len(self.low))
        index = np.clip(index, 0, len(self.low) - 1)
        return np.where(there, self.low[index], 0), np.where(there, self.high[index], 0)


@dataclass(frozen=True)
class Span:
    """A step on the time axis, from `start` for `width` operations; a streamed one is called after its first and last tensor."""

    label: str
    start: int
    width: int
    is_streamed: bool


@dataclass(frozen=True)
class Occupancy:
    """The arena of one plan over time, `peak` bytes of it."""

    spans: tuple[Span, ...]
    bands: tuple[Band, ...]
    peak: int

    @property
    def end(self) -> int:
        """Where the time axis ends, in operations."""
        return self.spans[-1].start + self.spans[-1].width if self.spans else 0

    def bytes_in_use(self, moments: NDArray[np.float64]) -> NDArray[np.int64]:
        """The bytes that hold something at each of `moments`, those that two buffers share counted once."""
        places = [band.at(moments) for band in self.bands]
        low, high = (np.array([place[i] for place in places]).reshape(-1, len(moments)) for i in (0, 1))
        order = np.argsort(low, axis=0)
        low, high = np.take_along_axis(low, order, 0), np.take_along_axis(high, order, 0)
        reached, used = np.zeros(len(moments), np.int64), np.zeros(len(moments), np.int64)
        for first, last in zip(low, high, strict=True):
            used += np.maximum(last - np.maximum(first, reached), 0)
            reached = np.maximum(reached, last)
        return used


def occupancy_of(function: Function, core: Core, schedule: Schedule) -> Occupancy:
    """The arena of `function` under `schedule`, planned as `plan.schedule` planned it to know its bytes."""
    problem, _ = problem_of(function, core, schedule.regions)
    return occupancy(problem, make_plan(problem, exact=False))


def occupancy(problem: Problem, plan: Plan) -> Occupancy:
    """Where `plan` puts everything, and for how long: operands shrink as they are read, results grow as they are written."""
    order = [problem.step_index[name] for name in plan.order]
    spans, start = [], 0
    for s in order:
        spans.append(_span(problem.steps[s], start))
        start += spans[-1].width
    bands = []
    for item in layout(problem, order).items:
        base = (plan.scratch if item.is_scratch else plan.offsets)[item.name]
        pieces = []
        for k in range(max(item.first - 1, 0), min(item.last, len(order))):
            if item.is_scratch or k not in (item.first - 1, item.last - 1):
                pieces.append(_whole(spans[k], item.size))
            else:
                pieces.append(_held(problem, order[k], item.name, spans[k]))
        is_ring = any(item.name in problem.steps[s].rings for s in order)
        if pieces:  # nothing touches an input that nobody reads
            bands.append(_band(item.name, base, pieces, is_ring, item.is_scratch))
    return Occupancy(tuple(spans), tuple(band for band in bands if len(band.low)), plan.peak)


_Piece = tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]


def _span(step: Step, start: int) -> Span:
    # A strip's tensor is called after the whole one.
    written = (rows.tensor.partition(" strip ")[0] for part in step.parts for rows in part.writes)
    tensors = list(dict.fromkeys(written))
    if not tensors:
        return Span(_short(step.name), start, 1, False)
    return Span(f"{_short(tensors[0])} to\n{_short(step.name)}", start, len(tensors), True)


def _short(name: str) -> str:
    """The end of a long name, which tells more than its beginning."""
    return name if len(name) <= _MOST_LETTERS else "…" + name[1 - _MOST_LETTERS :]


def _whole(span: Span, size: int) -> _Piece:
    edges = np.array([span.start, span.start + span.width], np.float64)
    return edges, np.array([0], np.int64), np.array([size], np.int64)


def _held(problem: Problem, s: int, name: str, span: Span) -> _Piece:
    """What a buffer holds during the step in which it is first written or last used, thinned out so that nothing is hidden."""
    over_time = held(problem.steps[s], problem.buffer(name))
    bounds = np.unique(np.linspace(0, len(over_time.first), _MOST_MOMENTS + 1).astype(np.int64))
    empty = over_time.first >= over_time.last
    low = np.minimum.reduceat(np.where(empty, np.iinfo(np.int64).max, over_time.first), bounds[:-1])
    high = np.maximum.reduceat(np.where(empty, 0, over_time.last), bounds[:-1])
    edges = span.start + span.width * bounds / bounds[-1]
    return edges, np.where(high > 0, low, 0), high


def _band(name: str, base: int, pieces: Sequence[_Piece], is_ring: bool, is_scratch: bool) -> Band:
    """One band of consecutive pieces, without the time in which it holds nothing at both ends."""
    low = np.concatenate([piece[1] for piece in pieces])
    high = np.concatenate([piece[2] for piece in pieces])
    edges = np.concatenate([pieces[0][0][:1], *(piece[0][1:] for piece in pieces)])
    used = np.flatnonzero(high > low)
    first, last = (used[0], used[-1] + 1) if len(used) else (0, 0)
    return Band(
        _short(name), edges[first : last + 1], base + low[first:last], base + high[first:last], is_ring, is_scratch
    )
