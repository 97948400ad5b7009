"""How an int8 depthwise convolution with 3x3 kernels is lowered for cores with DSP instructions where rows are wide or memory is dear."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lichen.ir.kernel import KernelCall, Operand, Result, Table
from lichen.ir.module import Array, Operation
from lichen.ops.fixed_point import INT8_MAX, INT8_MIN
from lichen.ops.requantise_dsp import ANY_RATIO, ratios, scales_dsp
from lichen.ops.weights import channel_ratios, clamp_params, folded_bias, multiplier_tables
from lichen.ops.window import Window


def depthwise_3x3_dsp(
    operation: Operation,
    params: Mapping[str, int | float],
    views: tuple[Operand, Result],
    weights: Array,
    window: Window,
) -> KernelCall | None:
    """The call for `weights` (channels, 3, 3), `None` where the kernel does not serve: wider padding, a clamp within int8, or any ratio of scales."""
    if window.kernel != (3, 3) or not _is_bordered_by_one(window):
        return None
    source, result = operation.operands[0].type, operation.results[0].type
    mantissas, shifts = multiplier_tables(channel_ratios(operation, len(weights)))
    clamp = clamp_params(operation)
    finish = ratios(mantissas, shifts, INT8_MIN, result.zero_point)
    if (clamp["low"], clamp["high"]) != (INT8_MIN, INT8_MAX) or finish == ANY_RATIO:
        return None
    scales = np.stack(scales_dsp(mantissas, shifts, finish), axis=1)
    bias = folded_bias(operation, weights.reshape(len(weights), -1))
    words, ends = pack(weights, bias, scales)
    tables = Table("weights", words), Table("channels", ends)
    known = ("kernel_h", "kernel_w", "dilation_h", "dilation_w")
    members = {key: value for key, value in params.items() if key not in known}
    members |= {"in_zero": source.zero_point, "out_zero": result.zero_point, "finish": finish}
    accesses = window.band_accesses(source, result, 1)
    return KernelCall("depthwise_3x3_s8_dsp", members, (*views, *tables), window.out_h, accesses)


def _is_bordered_by_one(window: Window) -> bool:
    """Whether each output sees at most one column of padding on each side."""
    right = (window.out_w - 1) * window.stride[1] + 3 - window.padding[2] - window.in_w
    return window.padding[2] <= 1 and right <= 1


def pack(weights: Array, bias: Array, scales: Array) -> tuple[Array, Array]:
    """What the kernel reads for each pair of channels: weights (pairs, 20) int8, and biases and scales (pairs, 6) int32.

    `weights` are (channels, 3, 3), `bias` (channels,), `scales` (channels, 2). Groups of four channels are two pairs each, c and c + 2, then
    c + 1 and c + 3; the last group ends with the last channel. Four weights are in the order of the two words of int16 that SXTB16 makes of them.
    """
    starts = np.minimum(np.arange(0, len(weights), 4), len(weights) - 4)
    first = (starts[:, None] + [0, 1]).ravel()
    second = first + 2
    columns = weights.transpose(0, 2, 1)
    lowest = np.stack([columns[first, :, 2], columns[second, :, 2]], axis=2)
    words = np.stack([columns[first, :, :2], columns[second, :, :2], lowest], axis=2).reshape(len(first), 9, 2)
    lanes = np.pad(words, ((0, 0), (0, 1), (0, 0))).reshape(-1, 5, 2, 2).transpose(0, 1, 3, 2)
    ends = [bias[first, None], bias[second, None], scales[first], scales[second]]
    return np.ascontiguousarray(lanes).reshape(len(first), 20), np.concatenate(ends, axis=1).astype(np.int32)
