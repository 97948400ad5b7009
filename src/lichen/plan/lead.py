"""How far the result of a step may reach into the bytes of an operand that dies there.

A write at access `k` may destroy a byte of the operand only when no access from `k` on (after `k`, if accesses are atomic)
still reads it. Let `first(k)` and `last(k)` be the hull of what is still read. The result, at distance `d = result - operand`,
is safe when for every `k` its write ends before that hull or starts behind it. Asking the same side of every `k` gives two
half-lines:

    d <= below = min over k of (first(k) - write end(k))          a kernel that walks upwards eats its operand from below
    d >= above = max over k of (last(k) - write start(k))         one that walks downwards, from above

`-below` is the *lead* of the result over the operand. In place is the case `d = 0`: an elementwise kernel has lead 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lichen.plan.problem import Buffer, Step
from lichen.plan.streamed import distances, held

_FAR = np.iinfo(np.int64).max // 4  # beyond any address, yet sums of two stay in range


@dataclass(frozen=True)
class Clearance:
    """Where a second buffer may lie beside a first: `second - first` is at most `below` or at least `above`, in bytes."""

    below: int
    above: int

    @property
    def lead(self) -> int:
        """The bytes by which a result has to start below the operand; negative when it may start above."""
        return -self.below

    @property
    def free(self) -> bool:
        """Whether the two may lie anywhere."""
        return self.below >= self.above - 1

    def allows(self, distance: int) -> bool:
        """Whether `second - first` may be `distance`."""
        return distance <= self.below or distance >= self.above


def disjoint(first: Buffer, second: Buffer) -> Clearance:
    """The clearance of two buffers that share no byte."""
    return Clearance(-second.size, first.size)


def clearance(step: Step, operand: Buffer, result: Buffer) -> Clearance:
    """The clearance of `result` beside `operand`, which nobody needs after `step`. In a streamed step both may be results.

    Never narrower than `disjoint(operand, result)`, and clamped to it on the far side: `-result.size <= below <= operand.size`,
    the same for `above`. Where both are clamped to the far end the two may lie anywhere.
    """
    if step.parts:
        return _on_grid(operand, result, *distances(held(step, operand), held(step, result)))
    writes = step.writes_of(result.name)
    count = len(writes)
    first, last = np.full(count + 1, _FAR), np.full(count + 1, -_FAR)
    for reads in step.reads_of(operand.name):
        used = reads[:, 0] < reads[:, 1]
        np.minimum(first[:-1], np.where(used, reads[:, 0], _FAR), out=first[:-1])
        np.maximum(last[:-1], np.where(used, reads[:, 1], -_FAR), out=last[:-1])
    first = np.minimum.accumulate(first[::-1])[::-1]
    last = np.maximum.accumulate(last[::-1])[::-1]
    still = slice(1, None) if step.accesses.atomic else slice(0, -1)
    written = writes[:, 0] < writes[:, 1]
    below = int(np.min((first[still] - writes[:, 1])[written], initial=_FAR))
    above = int(np.max((last[still] - writes[:, 0])[written], initial=-_FAR))
    return _on_grid(operand, result, below, above)


def _on_grid(operand: Buffer, result: Buffer, below: int, above: int) -> Clearance:
    # Both buffers start at multiples of the smaller alignment, so their distance is one as well.
    grid = min(operand.alignment, result.alignment)
    below, above = below // grid * grid, -(-above // grid) * grid
    apart = disjoint(operand, result)
    return Clearance(
        min(max(below, apart.below), apart.above),
        max(min(above, apart.above), apart.below),
    )
