"""Steps in a fixed order, seen from memory: things with a size and a lifetime, and how close each two may lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lichen.plan.footprint import Footprints
from lichen.plan.lead import Clearance
from lichen.plan.problem import Problem


@dataclass(frozen=True)
class Item:
    """A buffer, or the scratch of a step, alive from moment `first` to `last`.

    Moment `k + 1` is the `k`-th step of the order; 0 is before the first and `len(order) + 1` after the last.
    """

    name: str
    size: int
    alignment: int
    first: int
    last: int
    is_scratch: bool = False


@dataclass(frozen=True)
class Layout:
    """Items to place so that each two of `clearances` (indices `i < j`; distance is start of `j` less start of `i`) allow it."""

    items: tuple[Item, ...]
    clearances: dict[tuple[int, int], Clearance]


@dataclass(frozen=True)
class Placement:
    """The start of each item of a layout, and the end of the highest."""

    starts: tuple[int, ...]
    peak: int


def layout(problem: Problem, order: Sequence[int]) -> Layout:
    """The layout of `problem` when its steps run in `order`."""
    footprints = Footprints(problem)
    items = _items(problem, order)
    clearances = {}
    for j, second in enumerate(items):
        for i, first in enumerate(items[:j]):
            if first.last < second.first or second.last < first.first:
                continue
            between = Clearance(-second.size, first.size)
            if not (first.is_scratch or second.is_scratch):
                if first.last == second.first:
                    between = _handover(footprints, order, first.last, i, j) or between
                elif second.last == first.first:
                    back = _handover(footprints, order, second.last, j, i)
                    between = Clearance(-back.above, -back.below) if back else between
            if not between.free:
                clearances[i, j] = between
    return Layout(items, clearances)


def _items(problem: Problem, order: Sequence[int]) -> tuple[Item, ...]:
    """All buffers in the problem's order, then the scratch of each step that has any."""
    moment = {step: k + 1 for k, step in enumerate(order)}
    items = []
    for buffer in problem.buffers:
        moments = [moment[s] for s in (*problem.writers[buffer.name], *problem.readers[buffer.name])]
        if buffer.name in problem.inputs:
            moments.append(0)
        if buffer.name in problem.outputs:
            moments.append(len(order) + 1)
        items.append(Item(buffer.name, buffer.size, buffer.alignment, min(moments), max(moments)))
    for s, step in enumerate(problem.steps):
        if step.scratch:
            items.append(Item(step.name, step.scratch, step.scratch_alignment, moment[s], moment[s], is_scratch=True))
    return tuple(items)


def _handover(footprints: Footprints, order: Sequence[int], moment: int, ends: int, starts: int) -> Clearance | None:
    """The clearance of two buffers when the first ends as an operand of the step in which the second starts as a result."""
    if not 0 < moment <= len(order):
        return None
    step = order[moment - 1]
    if footprints.hands_over(step, ends, starts):
        return footprints.clearance(step, ends, starts)
    return None
