"""How an int8 convolution is lowered for cores with DSP instructions: the weights in the order of `lichen_products_dsp.h`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lichen.ir.kernel import KernelCall, Operand, Result, Scratch, Table
from lichen.ir.module import Array, Operation
from lichen.ops.fixed_point import INT8_MAX, INT8_MIN
from lichen.ops.params import int16_params
from lichen.ops.requantise_dsp import ANY_RATIO, needs, ratios, scales_dsp
from lichen.ops.weights import channel_ratios, clamp_params, folded_bias, multiplier_tables

_TILE = 4  # patches that share a load of the weights
_EXACT = 2**23 // 128  # sum of the magnitudes of weights whose products with int8 stay below 2^23

_EXACT_PART = 512  # elements of which that is true whatever the weights

_MOST_SCRATCH = 2048  # bytes of widened patches; where they are more, fewer patches at a time are the leaner way


def conv2d_dsp(
    operation: Operation,
    params: Mapping[str, int | float],
    views: tuple[Operand, Result],
    weights: Array,
    scales: tuple[float, ...] | None = None,
) -> KernelCall | None:
    """The call for `weights` (channels, kernel rows, run) and the `params` of the window; `scales` default to `channel_ratios`.

    `None` where weights do not have the kernel's form: -128 beside a negative weight of the channel before it.
    """
    source, result = operation.operands[0].type, operation.results[0].type
    channels = len(weights)
    words = packed_words(weights)
    if words is None:
        return None
    mantissas, shifts = multiplier_tables(scales or channel_ratios(operation, channels))
    clamp = clamp_params(operation)
    is_saturated = (clamp["low"], clamp["high"]) == (INT8_MIN, INT8_MAX)
    finish = ratios(mantissas, shifts, INT8_MIN, result.zero_point) if is_saturated else ANY_RATIO
    bias = folded_bias(operation, weights.reshape(channels, -1))
    rows = views[1].rows
    assert rows is not None
    second = np.abs(weights[1::2].astype(np.int64)).sum(axis=(1, 2))
    is_exact = bool((second < _EXACT).all())
    members = {
        **params,
        **int16_params(operation, words=words.shape[1]),
        "part": words.shape[1] if is_exact else _EXACT_PART // 2,
        **{"in_zero": source.zero_point, "out_zero": result.zero_point, **clamp, "finish": finish},
    }
    ends = bias, *scales_dsp(mantissas, shifts, finish)
    by_rows = Table("weights", stream(words, *ends))
    border_run = weights.shape[2] if source.shape[-1] % 4 else 0

    def call(tile: int, scratch: int, lean: KernelCall | None = None, table: Table = by_rows) -> KernelCall:
        arguments = *views, table, Scratch(scratch)
        parts = needs(finish) | ({"two_patches"} if tile == 2 else set())
        return KernelCall("conv2d_s8_dsp", members | {"tile": tile}, arguments, rows, None, lean, parts)

    patch = 4 * words.shape[1]
    single = call(1, patch + border_run)
    if not is_exact or rows * params["out_w"] < _TILE - 1:
        return single
    if _TILE * patch <= _MOST_SCRATCH:
        return call(_TILE, _TILE * patch + border_run)
    fewer, in_c = single, source.shape[-1]
    if in_c % 4 == 0 and params["dilation_w"] == 1 and params["out_w"] > 1:
        by_columns = weights.reshape(*weights.shape[:2], -1, in_c).swapaxes(1, 2).reshape(channels, 1, -1)
        columns = packed_words(by_columns)
        assert columns is not None, "-128 stands beside the same weights in any order"
        together = 2 * weights.shape[1] * (weights.shape[2] + int(params["stride_w"]) * in_c)
        fewer = call(2, together, single, Table("weights_by_columns", stream(columns, *ends)))
    return call(_TILE, _TILE * patch + border_run, fewer)


def packed_words(weights: Array) -> Array | None:
    """Weights (channels, kernel rows, run) as int32 words (pairs of channels, words of a patch), `None` if they are not of that form."""
    flat = weights.reshape(len(weights), -1).astype(np.int32)
    flat = np.pad(
        flat, ((0, len(flat) % 2), (0, 1))
    )  # a channel of zeros for the pair, and the zero that -1 in the order stands for
    ordered = flat[:, patch_order(*weights.shape[1:])]
    lanes = 256 * ordered[1::2] + ordered[::2]
    return None if lanes.min() < -(2**15) else np.ascontiguousarray(lanes, "<i2").view("<i4")


def stream(words: Array, bias: Array, *scales: Array) -> Array:
    """The words of each pair of channels between what the kernel needs before and after them, as one flat array (int32).

    `bias` and `scales`, the multiplier and the shift, are (channels,) int32.
    """

    def pairs(values: Array) -> Array:
        return np.pad(values, (0, len(values) % 2)).reshape(-1, 2)

    biases, multipliers, shifts = map(pairs, (bias, *scales))
    first, second = (np.stack([multipliers[:, i], shifts[:, i]], axis=1) for i in (0, 1))
    return np.concatenate([biases[:, :1], words, first, biases[:, 1:], second], axis=1).astype(np.int32).ravel()


def patch_order(kernel_rows: int, run: int) -> Array:
    """Which element of a patch (kernel rows * run) stands where in its words, two to a word; -1 for none. See `lichen_patches_dsp.h`."""
    fours = (np.arange(run // 4)[:, None] * 4 + [0, 2, 1, 3]).ravel()
    rest = np.arange(run // 4 * 4, run)
    one = np.concatenate([fours, rest, np.full(run % 2, -1)])
    starts = np.arange(kernel_rows)[:, None] * run
    order = np.where(one < 0, -1, starts + one).ravel()
    return np.concatenate([order, np.full(-len(order) % 4, -1)])
