"""The order in which a kernel touches the bytes of its operands and results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Intervals = NDArray[np.int64]


@dataclass(frozen=True)
class Accesses:
    """`n` accesses in time order; access `k` reads and writes the byte intervals in row `k` of each array.

    An interval is `[lo, hi)` relative to the start of its tensor; an empty one (`lo == hi`) is no access. A read interval is the
    hull of what is read and may contain bytes that are not. Within one access reads and writes may interleave in any order, unless
    `atomic`: then all its reads precede its writes (an elementwise kernel with one element an access).
    """

    reads: Mapping[int, Intervals] = field(default_factory=dict)  # operand index -> (n, 2)
    writes: Mapping[int, Intervals] = field(default_factory=dict)  # result index -> (n, 2)
    atomic: bool = False

    @property
    def count(self) -> int:
        for intervals in (*self.reads.values(), *self.writes.values()):
            return len(intervals)
        return 0


def whole(operand_bytes: Mapping[int, int], result_bytes: Mapping[int, int]) -> Accesses:
    """One access that reads all of each operand and writes all of each result, in any order: nothing may overlap."""
    return Accesses(
        {i: np.array([[0, n]], np.int64) for i, n in operand_bytes.items()},
        {i: np.array([[0, n]], np.int64) for i, n in result_bytes.items()},
    )


def elementwise(count: int, operand_sizes: Mapping[int, int], result_size: int) -> Accesses:
    """`count` elements in order, each read (from operands of the given element sizes) before it is written."""
    index = np.arange(count + 1, dtype=np.int64)

    def spans(size: int) -> Intervals:
        return np.stack([index[:-1] * size, index[1:] * size], axis=1)

    return Accesses({i: spans(size) for i, size in operand_sizes.items()}, {0: spans(result_size)}, atomic=True)
