"""What operators with weights share: their type rules, what becomes of a sum, and the tables of the int8 kernels."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from lichen.ir.gradient import Backward
from lichen.ir.kernel import Core, Operand, Table
from lichen.ir.module import Array, Attribute, Constant, Operation, State, Value
from lichen.ir.operator import require
from lichen.ir.types import DType, Quantisation
from lichen.ops.activation import through_activation
from lichen.ops.fixed_point import (
    ACTIVATIONS,
    INT32_MAX,
    activation_range,
    clamp_float,
    multiply,
    quantize_multiplier,
    to_int8,
)
from lichen.ops.params import anywhere, in_flash

_EXACT_IN_FLOAT32 = 2**24 // (255 * 128)  # products of int8 differences and int8 weights whose sum float32 holds
_BLOCK = 4  # output channels that share a load of the input


def constant_operand(operation: Operation, index: int) -> Array:
    """The data of an operand that must be known at compile time."""
    value = operation.operands[index]
    assert isinstance(value, Constant)
    return value.data


def bias_or_zero(operation: Operation, channels: int) -> Array:
    """The bias (operand 2) as (channels,), or zeros where the operation has none."""
    if len(operation.operands) > 2:
        return constant_operand(operation, 2).reshape(channels)
    return np.zeros(channels, np.float32 if operation.results[0].type.dtype.is_float else np.int32)


def check_weights(operation: Operation, channel_axis: int) -> None:
    """Weights (operand 1), bias and activation, where output channels run along `channel_axis` of the weights.

    Weights and bias are constant or, in float32, state; of the right types, symmetric, and no input makes the int32 accumulator
    overflow. Raises `VerifyError`.
    """
    source, weights, result = operation.operands[0].type, operation.operands[1].type, operation.results[0].type
    channels = weights.shape[channel_axis]
    fixed = Constant | State if source.dtype.is_float else Constant
    for index, role in enumerate(("input", "weights", "bias")[: len(operation.operands)]):
        is_fixed = isinstance(operation.operands[index], fixed)
        require(is_fixed == (index > 0), f"the {role} must {'not ' if index == 0 else ''}be constant")
    expected = DType.FLOAT32 if source.dtype.is_float else DType.INT8
    types = f"{source.dtype.value} input, {weights.dtype.value} weights, {result.dtype.value} result"
    require(
        source.dtype is expected and weights.dtype is expected and result.dtype is expected,
        f"{types}: all must be i8 or all f32",
    )
    if len(operation.operands) > 2:
        bias = operation.operands[2].type
        require(
            bias.dtype is (DType.FLOAT32 if expected is DType.FLOAT32 else DType.INT32),
            f"a bias of {bias.dtype.value} does not fit",
        )
        require(bias.elements == channels, f"{bias.elements} biases for {channels} output channels")
    activation = operation.str_attribute("activation")
    require(activation in ACTIVATIONS, f"activation '{activation}' is not one of {', '.join(ACTIVATIONS)}")
    if expected is DType.FLOAT32:
        return
    q = _weights_quantisation(operation)
    require(q.axis in (None, channel_axis), f"weights are quantised along axis {q.axis}, not along the output channels")
    require(not any(q.zero_point), "weights must be quantised symmetrically (zero point 0)")
    multiplier_tables(channel_ratios(operation, channels))
    activation_range(activation, result)
    _check_accumulators(operation, channel_axis)


def factors(operation: Operation, operands: tuple[Array, ...], taps: int) -> tuple[Array, Array]:
    """The input less its zero point, and the weights, as floating point numbers, which are multiplied fast.

    Sums of `taps` products of them are exact for int8, in whatever order they are added.
    """
    x, weights, source = operands[0], operands[1], operation.operands[0].type
    if source.dtype.is_float:
        return x.astype(np.float64), weights.astype(np.float64)
    exact = np.float32 if taps <= _EXACT_IN_FLOAT32 else np.float64
    return x.astype(exact) - source.zero_point, weights.astype(exact)


def finish(
    operation: Operation, operands: tuple[Array, ...], sums: Array, ratios: tuple[float, ...] | None = None
) -> Array:
    """The result from `sums` (…, channels) of products of `factors`: adds the bias, requantises, clamps.

    `ratios` default to `channel_ratios`.
    """
    result, channels = operation.results[0].type, sums.shape[-1]
    activation = operation.str_attribute("activation")
    bias = operands[2].reshape(channels) if len(operands) > 2 else 0
    if result.dtype.is_float:
        return clamp_float(sums + bias, activation).reshape(result.shape)
    mantissa, shift = multiplier_tables(ratios or channel_ratios(operation, channels))
    low, high = activation_range(activation, result)
    requantised = multiply(sums.astype(np.int64) + bias, mantissa, shift) + result.zero_point
    return to_int8(requantised, low, high).reshape(result.shape)


def float_weights(
    operation: Operation, channels: int, packed: Array | None = None
) -> tuple[Operand | Table, Operand | Table]:
    """The arguments `weights` and `bias` (channels) of a float32 kernel, in flash or where their state lies; `packed` are constant
    weights in the kernel's order, where that is not the graph's.
    """
    weights: Operand | Table = anywhere(operation, 1, "weights") if packed is None else Table("weights", packed)
    if len(operation.operands) > 2:
        return weights, anywhere(operation, 2, "bias")
    return weights, Table("bias", np.zeros(channels, np.float32))


def float_weights_in_flash(operation: Operation) -> dict[str, int | float]:
    """The members `weights_in_flash` and `bias_in_flash` of a float32 kernel."""
    has_bias = len(operation.operands) > 2
    return {"weights_in_flash": in_flash(operation, 1), "bias_in_flash": in_flash(operation, 2) if has_bias else 1}


def weights_gradient(
    operation: Operation, gradient: Value | None, backward: Backward, **attributes: Attribute
) -> dict[int, Value]:
    """The gradient rule of a layer with weights: operators `<kind>_grad_input` (gradient, weights) and `<kind>_update`.

    Both take the window's `attributes`. A bias learns from the gradient summed over all positions.
    """
    x, weights, *bias = operation.operands
    assert gradient is not None
    gradient = through_activation(operation, gradient, backward)
    found: dict[int, Value] = {}
    if backward.wants(x):
        found[0] = backward.emit(f"{operation.kind}_grad_input", [gradient, weights], x.type, **attributes)
    backward.learn(weights, f"{operation.kind}_update", [gradient, x], **attributes)
    for parameter in bias:
        backward.learn(parameter, "update", [gradient])
    return found


def channel_block(operation: Operation, core: Core, rows: Array, ratios: tuple[float, ...] | None = None) -> int:
    """How many output channels the int8 kernels compute at once, of those with weights `rows` (channels, taps).

    On AVR four share a loop (`lichen_dot_avr.h`) whose sums have three bytes, whose counters of taps are short, and which only shifts to
    the right; where one channel does not fit that, they are computed one by one.
    """
    if not core.has("avr"):
        return _BLOCK
    source, channels = operation.operands[0].type, len(rows)
    farthest = max(127 - source.zero_point, 128 + source.zero_point)
    sums = np.abs(bias_or_zero(operation, channels).astype(np.int64)) + farthest * np.abs(rows.astype(np.int64)).sum(
        axis=1
    )
    _, shifts = multiplier_tables(ratios or channel_ratios(operation, channels))
    counted = rows.shape[1] <= 1023 and max(operation.operands[1].type.shape[1:-1], default=1) <= 254
    return _BLOCK if counted and sums.max() < 2**23 and shifts.max() < 0 else 1


def int8_tables(
    operation: Operation, rows: Array, block: int, ratios: tuple[float, ...] | None = None
) -> tuple[Table, ...]:
    """The tables of an int8 kernel with weights `rows` (channels, taps): weights, folded bias, multipliers, shifts."""
    mantissa, shift = multiplier_tables(ratios or channel_ratios(operation, len(rows)))
    return (
        Table("weights", interleave(rows, block)),
        Table("bias", folded_bias(operation, rows)),
        Table("multiplier", mantissa),
        Table("shift", shift),
    )


def folded_bias(operation: Operation, rows: Array) -> Array:
    """The bias (channels,) and `-zero_point * sum(weights)` of weights `rows` (channels, taps): spares a subtraction for each product."""
    zero = operation.operands[0].type.zero_point
    folded: Array = bias_or_zero(operation, len(rows)).astype(np.int64) - zero * rows.sum(axis=1, dtype=np.int64)
    return folded.astype(np.int32)


def interleave(rows: Array, block: int) -> Array:
    """Rows (n, k) in blocks of `block`, each transposed to (k, block); the rest row by row. One flat array."""
    blocked = len(rows) - len(rows) % block
    blocks = rows[:blocked].reshape(-1, block, rows.shape[1]).transpose(0, 2, 1)
    return np.concatenate([blocks.ravel(), rows[blocked:].ravel()])


def clamp_params(operation: Operation) -> dict[str, int | float]:
    """The members `low` and `high`: what the fused activation clamps to."""
    result, activation = operation.results[0].type, operation.str_attribute("activation")
    low, high = ACTIVATIONS[activation] if result.dtype.is_float else activation_range(activation, result)
    return {"low": low, "high": high}


def channel_ratios(operation: Operation, channels: int) -> tuple[float, ...]:
    """`input scale * weight scale / output scale` for each output channel, in double as TensorFlow Lite Micro computes it."""
    scales = _weights_quantisation(operation).scale
    source, result = operation.operands[0].type.scale, operation.results[0].type.scale
    return tuple(source * scale / result for scale in scales) * (channels // len(scales))


@lru_cache(maxsize=512)  # an interpreter asks for the same again with every inference
def multiplier_tables(ratios: tuple[float, ...]) -> tuple[Array, Array]:
    """Mantissas (int32) and shifts (int8) of real multipliers, read-only. Raises `VerifyError` for one that is too large."""
    multipliers = [quantize_multiplier(ratio) for ratio in ratios]
    mantissas = np.array([m.mantissa for m in multipliers], np.int32)
    shifts = np.array([m.shift for m in multipliers], np.int8)
    mantissas.setflags(write=False)
    shifts.setflags(write=False)
    return mantissas, shifts


def _weights_quantisation(operation: Operation) -> Quantisation:
    q = operation.operands[1].type.quantisation
    require(q is not None, "int8 weights need their scales")
    assert q is not None
    return q


def _check_accumulators(operation: Operation, channel_axis: int) -> None:
    """No partial sum leaves int32: neither the model's, of differences below 256, nor the kernel's with its folded bias."""
    weights = np.moveaxis(constant_operand(operation, 1), channel_axis, 0)
    channels = len(weights)
    magnitudes = np.abs(weights.reshape(channels, -1), dtype=np.int16).sum(axis=1, dtype=np.int64)
    largest = int((np.abs(bias_or_zero(operation, channels).astype(np.int64)) + 256 * magnitudes).max())
    require(largest <= INT32_MAX, f"sums of up to {largest} overflow the 32-bit accumulator")
