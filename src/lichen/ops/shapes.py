"""Type rules that operators share which move elements without changing them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lichen.ir.accesses import Intervals
from lichen.ir.module import Operation
from lichen.ir.operator import require
from lichen.ir.types import TensorType


def check_copied_type(x: TensorType, result: TensorType) -> None:
    """The stored values are copied, so element type and quantisation must stay. Raises `VerifyError`."""
    require(x.dtype is result.dtype, f"the result is of {result.dtype.value}, its input of {x.dtype.value}")
    for type_ in (x, result):
        q = type_.quantisation
        require(q is None or not q.is_per_channel, "a tensor quantised per channel cannot be moved about")
    require(
        x.quantisation == result.quantisation,
        "input and result are quantised differently, but their elements are copied as they are; requantise first",
    )


def axis_of(operation: Operation, rank: int) -> int:
    """The attribute `axis`, counted from the first. Raises `VerifyError` unless it is an axis of a tensor of that rank."""
    axis = operation.int_attribute("axis")
    require(0 <= axis < rank, f"axis {axis} does not exist in a tensor of {rank} dimensions")
    return axis


@dataclass(frozen=True)
class Blocks:
    """A tensor made of `rows` rows, each of which holds `sizes[k]` bytes of part `k`, in order; access by access."""

    rows: int
    sizes: tuple[int, ...]

    def of_whole(self) -> Intervals:
        """Where in the whole tensor each access falls."""
        ends = np.cumsum(np.tile(np.array(self.sizes, np.int64), self.rows))
        return np.stack([np.concatenate([[0], ends[:-1]]), ends], axis=1)

    def of_part(self, part: int) -> Intervals:
        """Where in one part each access falls; empty where it is another part's turn."""
        intervals = np.zeros((self.rows, len(self.sizes), 2), np.int64)
        starts = np.arange(self.rows, dtype=np.int64) * self.sizes[part]
        intervals[:, part] = np.stack([starts, starts + self.sizes[part]], axis=1)
        return intervals.reshape(-1, 2)


def blocks(parts: Sequence[TensorType], axis: int) -> Blocks:
    """How tensors lie in memory that are joined along `axis`."""
    sizes = tuple(math.prod(part.shape[axis:]) * part.dtype.size for part in parts)
    return Blocks(math.prod(parts[0].shape[:axis]), sizes)
