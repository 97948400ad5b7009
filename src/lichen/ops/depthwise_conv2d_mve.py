"""How an int8 depthwise convolution is lowered for cores with Helium: the tables of `lichen_depthwise_conv2d_s8_mve.h`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lichen.ir.kernel import KernelCall, Operand, Result, Scratch, Table
from lichen.ir.module import Array, Operation
from lichen.ops.params import int16_params
from lichen.ops.weights import channel_ratios, clamp_params, folded_bias, multiplier_tables

_GROUP = 8  # channels at a time
_MOST = 255  # the sum of two weights' magnitudes, so that two products with int8 stay within int16


def depthwise_conv2d_mve(
    operation: Operation, params: Mapping[str, int | float], views: tuple[Operand, Result], weights: Array
) -> KernelCall | None:
    """The call for `weights` (channels, taps), of as many channels as the input has, and the `params` of the window.

    `None` where two neighbouring taps are both -128, which no converter writes.
    """
    source, result = operation.operands[0].type, operation.results[0].type
    count, taps = weights.shape
    padded = np.pad(weights, ((0, -count % _GROUP), (0, taps % 2)))
    if np.abs(padded.astype(np.int16)).reshape(len(padded), -1, 2).sum(axis=2).max() > _MOST:
        return None
    mantissas, shifts = multiplier_tables(channel_ratios(operation, count))
    members = {
        **params,
        **int16_params(operation, in_zero=source.zero_point, out_zero=result.zero_point),
        **clamp_params(operation),
        **int16_params(operation, taps=padded.shape[1], any_left=int((shifts > 0).any())),
    }
    tables = (
        Table("weights", np.ascontiguousarray(padded.reshape(-1, _GROUP, padded.shape[1]).swapaxes(1, 2)).ravel()),
        Table("channels", even_and_odd(folded_bias(operation, weights), mantissas, shifts)),
    )
    scratch = Scratch(4 * padded.shape[1] + source.shape[3])
    return KernelCall("depthwise_conv2d_s8_mve", members, (*views, *tables, scratch), rows=views[1].rows)


def even_and_odd(*columns: Array) -> Array:
    """Columns (channels,): of eight channels the even and the odd ones of each column in turn; one flat array (int32)."""
    padded = np.stack([np.pad(c.astype(np.int32), (0, -len(c) % _GROUP)) for c in columns])
    return np.ascontiguousarray(padded.reshape(len(columns), -1, _GROUP // 2, 2).transpose(1, 0, 3, 2)).ravel()
