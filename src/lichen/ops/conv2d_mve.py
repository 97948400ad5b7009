"""How an int8 convolution is lowered for cores with Helium: the tables of `lichen_conv2d_s8_mve.h`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lichen.ir.kernel import KernelCall, Operand, Result, Scratch, Table
from lichen.ir.module import Array, Operation
from lichen.ops.params import int16_params
from lichen.ops.weights import channel_ratios, clamp_params, folded_bias, multiplier_tables

_GROUP, _BLOCK = 4, 16  # channels at a time, elements in a vector


def conv2d_mve(
    operation: Operation,
    params: Mapping[str, int | float],
    views: tuple[Operand, Result],
    weights: Array,
    scales: tuple[float, ...] | None = None,
) -> KernelCall:
    """The call for `weights` (channels, elements of a patch) and the `params` of the window; `scales` default to `channel_ratios`."""
    source, result = operation.operands[0].type, operation.results[0].type
    count, patch = weights.shape
    mantissas, shifts = multiplier_tables(scales or channel_ratios(operation, count))
    is_one = params["kernel_h"] == params["kernel_w"] == 1
    is_inside = params["pad_top"] == params["pad_left"] == 0 and all(
        (out - 1) * params[f"stride_{axis}"] < params[f"in_{axis}"]
        for axis, out in (("h", views[1].rows or 1), ("w", params["out_w"]))
    )
    is_whole = int(is_one and is_inside)
    members = {
        **params,
        **int16_params(operation, in_zero=source.zero_point, out_zero=result.zero_point),
        **clamp_params(operation),
        **int16_params(operation, patch=patch, is_whole=is_whole, any_left=int((shifts > 0).any())),
    }
    tables = Table("weights", blocks(weights)), channels(folded_bias(operation, weights), mantissas, shifts)
    return KernelCall(
        "conv2d_s8_mve", members, (*views, *tables, Scratch(1 if is_whole else patch)), rows=views[1].rows
    )


def blocks(weights: Array) -> Array:
    """Weights (channels, elements) as groups of four channels, each as blocks of 16 elements channel by channel; one flat array."""
    count, patch = weights.shape
    padded = np.pad(weights, ((0, -count % _GROUP), (0, -patch % _BLOCK)))
    return np.ascontiguousarray(padded.reshape(-1, _GROUP, padded.shape[1] // _BLOCK, _BLOCK).swapaxes(1, 2)).ravel()


def channels(*columns: Array) -> Table:
    """Biases, mantissas and shifts (channels,): four of each in turn."""
    padded = np.stack([np.pad(c.astype(np.int32), (0, -len(c) % _GROUP)) for c in columns])
    return Table("channels", np.ascontiguousarray(padded.reshape(len(columns), -1, _GROUP).swapaxes(0, 1)).ravel())
