"""The memory of a step over time, of a streamed one above all: how long each of its buffers holds something that somebody needs.

At access `k`, which is part `k` of a streamed step, an operand that dies in the step still holds the hull of what the accesses from
`k` on read; a result holds the hull of what those up to `k` have written; a ring holds all of itself while it holds a row that
is still to be read. Two buffers of a streamed step may share bytes as long as what they hold at the same time stays apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lichen.plan.problem import Buffer, Step

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
        alive = step.ring_lives[buffer.name]
        return Held(np.zeros(len(alive), np.int64), np.where(alive, buffer.size, 0))
    first, last = np.full(step.accesses.count, _FAR), np.full(step.accesses.count, -_FAR)
    is_result = buffer.name in step.writes
    for intervals in [step.writes_of(buffer.name)] if is_result else step.reads_of(buffer.name):
        used = intervals[:, 0] < intervals[:, 1]
        np.minimum(first, np.where(used, intervals[:, 0], _FAR), out=first)
        np.maximum(last, np.where(used, intervals[:, 1], -_FAR), out=last)
    way = 1 if is_result else -1
    return Held(np.minimum.accumulate(first[::way])[::way], np.maximum.accumulate(last[::way])[::way])


def distances(first: Held, second: Held) -> tuple[int, int]:
    """`below` and `above`: the start of the second less that of the first is at most the one, or at least the other."""
    both = (first.first < first.last) & (second.first < second.last)
    below = int(np.min((first.first - second.last)[both], initial=_FAR))
    above = int(np.max((first.last - second.first)[both], initial=-_FAR))
    return below, above


def most_held(all_held: list[Held]) -> int:
    """The most bytes that buffers hold together at any part."""
    return int(np.max(np.sum([h.bytes for h in all_held], axis=0), initial=0)) if all_held else 0
