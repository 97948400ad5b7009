"""The memory of a step over time, of a streamed one above all: how long each of its buffers holds something that somebody needs.

At access `k`, which is part `k` of a streamed step, an operand that dies in the step still holds the hull of what the accesses from
`k` on read; a result holds the hull of what those up to `k` have written; a ring holds all of itself from its first write to its
last read. Two buffers of a streamed step may share bytes as long as what they hold at the same time stays apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lichen.ir.accesses import Intervals
from lichen.plan.problem import Buffer, Rows, Step

_FAR = np.iinfo(np.int64).max // 4


@dataclass(frozen=True)
class Held:
    """What a buffer holds at each access, as `[first, last)`; where `first >= last`, nothing."""

    first: NDArray[np.int64]
    last: NDArray[np.int64]

    @property
    def bytes(self) -> NDArray[np.int64]:
        return np.asarray(np.maximum(self.last - self.first, 0))


def held(step: Step, buffer: Buffer) -> Held:
    """What `buffer`, which dies in `step` or is born there, holds over time."""
    if buffer.name in step.rings:
        alive = _alive(step, buffer.name)
        return Held(np.zeros(len(alive), np.int64), np.where(alive, buffer.size, 0))
    first, last = np.full(step.accesses.count, _FAR), np.full(step.accesses.count, -_FAR)
    is_result = buffer.name in step.writes
    for intervals in [step.writes_of(buffer.name)] if is_result else step.reads_of(buffer.name):
        used = intervals[:, 0] < intervals[:, 1]
        np.minimum(first, np.where(used, intervals[:, 0], _FAR), out=first)
        np.maximum(last, np.where(used, intervals[:, 1], -_FAR), out=last)
    way = 1 if is_result else -1
    return Held(np.minimum.accumulate(first[::way])[::way], np.maximum.accumulate(last[::way])[::way])


def _alive(step: Step, ring: str) -> NDArray[np.bool_]:
    """At which parts the ring holds a row that this part writes or reads, or a later one reads."""
    written: dict[tuple[str, int], int] = {}
    alive = np.zeros(len(step.parts), np.bool_)
    for k, part in enumerate(step.parts):
        for rows, first, last in _rows_of(part.reads, part.accesses.reads, ring):
            for row in range(first, last):
                alive[written[rows.tensor, row] : k + 1] = True
        for rows, first, last in _rows_of(part.writes, part.accesses.writes, ring):
            alive[k] = True
            written.update(((rows.tensor, row), k) for row in range(first, last))
    return alive


def _rows_of(tensors: Sequence[Rows], accesses: Mapping[int, Intervals], ring: str) -> Iterator[tuple[Rows, int, int]]:
    """The rows `[first, last)` of each tensor in `ring` that a part touches."""
    for k, rows in enumerate(tensors):
        used = accesses[k][accesses[k][:, 0] < accesses[k][:, 1]]
        if rows.buffer == ring and len(used):
            yield rows, int(used[:, 0].min()) // rows.row_bytes, -(-int(used[:, 1].max()) // rows.row_bytes)


def distances(first: Held, second: Held) -> tuple[int, int]:
    """`below` and `above`: the start of the second less that of the first is at most the one, or at least the other."""
    both = (first.first < first.last) & (second.first < second.last)
    below = int(np.min((first.first - second.last)[both], initial=_FAR))
    above = int(np.max((first.last - second.first)[both], initial=-_FAR))
    return below, above


def most_held(all_held: list[Held]) -> int:
    """The most bytes that buffers hold together at any part."""
    return int(np.max(np.sum([h.bytes for h in all_held], axis=0), initial=0)) if all_held else 0
