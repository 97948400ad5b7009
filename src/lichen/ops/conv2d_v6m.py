"""How an int8 convolution is lowered for ARMv6-M: weights as words of four channels, in the form of `lichen_dot_v6m.h`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lichen.ir.kernel import KernelCall, Operand, Result, Table
from lichen.ir.module import Array, Operation
from lichen.ops.weights import channel_ratios, folded_bias, multiplier_tables


def conv2d_v6m(
    operation: Operation,
    params: Mapping[str, int | float],
    views: tuple[Operand, Result],
    rows: Array,
    scales: tuple[float, ...] | None = None,
) -> KernelCall | None:
    """The call for weights `rows` (channels, taps), with the `params` of `conv2d_s8`; `scales` default to `channel_ratios`.

    `None` where a sum would have to be shifted to the left, which the kernel does not.
    """
    mantissas, shifts = multiplier_tables(scales or channel_ratios(operation, len(rows)))
    if shifts.max() >= 0:
        return None
    ends = np.stack([folded_bias(operation, rows), mantissas, -1 - shifts.astype(np.int32)], axis=1)
    tables = Table("weights", words(rows)), Table("ends", ends.astype(np.int32))
    return KernelCall("conv2d_s8_v6m", {**params, "block": 4}, (*views, *tables), rows=views[1].rows)


def words(rows: Array) -> Array:
    """Weights (channels, taps) as int32 (channels / 4 rounded up, taps): the fourth channel in the highest byte, 128 added to the others."""
    blocks = np.pad(rows.astype(np.int64), ((0, -len(rows) % 4), (0, 0))).reshape(-1, 4, rows.shape[1])
    offsets, places = np.array([[128], [128], [128], [0]]), np.array([[1], [2**8], [2**16], [2**24]])
    packed: Array = ((blocks + offsets) * places).sum(axis=1).astype(np.int32)
    return packed
