"""Running means in float32 that take in millions of samples: what rounding would lose is kept beside the mean.

The arithmetic of `lichen_running.h`, operation by operation.
"""

from __future__ import annotations

import numpy as np

from lichen.ir.module import Array, Operation
from lichen.ir.operator import require
from lichen.ops.fixed_point import INT32_MAX

LARGEST_SAMPLE = np.float32(1e15)
"""Statistics take in no number beyond this: its square, added up, could overflow."""

LARGEST_WEIGHT = 0.5


def are_samples(*arrays: Array) -> bool:
    """Whether all are numbers that statistics can take in."""
    return all(bool((np.abs(array) <= LARGEST_SAMPLE).all()) for array in arrays)


def next_weight(count: Array, forgetting: float) -> tuple[Array, Array]:
    """The count with one more sample, and the sample's weight: that of a plain mean, but never less than `forgetting`."""
    count = np.where(count < INT32_MAX, count + 1, count).astype(np.int32)
    return count, np.maximum(np.float32(1.0) / count.astype(np.float32), np.float32(forgetting))


def add(value: Array, lost: Array, term: Array) -> tuple[Array, Array]:
    """The unevaluated sum `value + lost + term` as two parts that do not overlap (Knuth's two-sum)."""
    addend = lost + term
    total = value + addend
    from_addend = total - value
    return total, (value - (total - from_addend)) + (addend - from_addend)


def check_forgetting(operation: Operation) -> None:
    """Raises `VerifyError` unless the attribute `forgetting` is a weight of the newest sample."""
    forgetting = operation.float_attribute("forgetting")
    require(
        0.0 <= forgetting <= LARGEST_WEIGHT,
        f"forgetting is {forgetting}, but must be from 0 (a plain mean) to {LARGEST_WEIGHT}, the least weight of the newest sample",
    )
