"""How kernels walk strided and broadcast operands: the twin of `lichen_walk.h`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lichen.ir.accesses import Accesses, Intervals
from lichen.ir.kernel import Table


@dataclass(frozen=True)
class Walk:
    """Result elements in order, as `rows` runs of `inner`; operand `i` moves by `inner_steps[i]` elements within a run.

    Between runs an odometer turns: `extents` are its dimensions, outermost first, and `steps[d][i]` is how far operand `i` moves
    when index `d` grows by one.
    """

    extents: tuple[int, ...]
    steps: tuple[tuple[int, ...], ...]
    inner: int
    inner_steps: tuple[int, ...]

    @staticmethod
    def over(shape: Sequence[int], strides: Sequence[Sequence[int]]) -> Walk:
        """A walk over `shape`, `strides[i]` being the element strides of operand `i`; as few and as long runs as possible."""
        extents: list[int] = []
        steps: list[tuple[int, ...]] = []
        for extent, step in zip(shape, zip(*strides, strict=True), strict=True):
            if extent == 1:
                continue
            if extents and all(outer == inner * extent for outer, inner in zip(steps[-1], step, strict=True)):
                extents[-1], steps[-1] = extents[-1] * extent, step
            else:
                extents.append(extent)
                steps.append(step)
        still = (0,) * len(strides)
        inner, inner_steps = (extents.pop(), steps.pop()) if extents else (1, still)
        # The odometer has at least one dimension, so that its table is never empty.
        return Walk(tuple(extents) or (1,), tuple(steps) or (still,), inner, inner_steps)

    @property
    def rows(self) -> int:
        return int(np.prod(self.extents))

    @property
    def geometry(self) -> Table:
        """Rows of {extent, step of operand 0, step of operand 1}, as the kernels read them."""
        padded = [(extent, *(*step, 0)[:2]) for extent, step in zip(self.extents, self.steps, strict=True)]
        return Table("geometry", np.array(padded, np.int32).ravel())

    def row_offsets(self, operand: int) -> NDArray[np.int64]:
        """Where an operand stands at the start of each run, in elements."""
        offsets = np.zeros(1, np.int64)
        for extent, step in zip(self.extents, self.steps, strict=True):
            offsets = (offsets[:, None] + np.arange(extent, dtype=np.int64) * step[operand]).ravel()
        return offsets

    def offsets(self, operand: int) -> NDArray[np.int64]:
        """Which element of an operand goes into each element of the result."""
        inner = np.arange(self.inner, dtype=np.int64) * self.inner_steps[operand]
        return (self.row_offsets(operand)[:, None] + inner).ravel()

    def elementwise(self, sizes: dict[int, int], result_size: int) -> Accesses:
        """One access an element: operands, whose elements have `sizes` bytes, are read before the result is written."""
        index = np.arange(self.rows * self.inner, dtype=np.int64)
        return Accesses(
            {operand: run_spans(self.offsets(operand), 1, size) for operand, size in sizes.items()},
            {0: run_spans(index, 1, result_size)},
            atomic=True,
        )


def run_spans(starts: NDArray[np.int64], length: int, size: int) -> Intervals:
    """The byte intervals of runs of `length` elements of `size` bytes, given the index of the first of each."""
    return np.stack([starts * size, (starts + length) * size], axis=1)


def contiguous_strides(shape: Sequence[int]) -> tuple[int, ...]:
    """Element strides of a tensor that lies in memory in order."""
    strides, step = [], 1
    for extent in reversed(shape):
        strides.append(step)
        step *= extent
    return tuple(reversed(strides))


def broadcast_strides(shape: Sequence[int], result: Sequence[int]) -> tuple[int, ...]:
    """Element strides with which a tensor walks the shape it is broadcast to: 0 where it repeats."""
    missing = (0,) * (len(result) - len(shape))
    kept = (0 if extent == 1 else step for extent, step in zip(shape, contiguous_strides(shape), strict=True))
    return (*missing, *kept)
