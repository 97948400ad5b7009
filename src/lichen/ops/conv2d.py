"""Two-dimensional convolution, NHWC, with a fused activation."""

from __future__ import annotations

import numpy as np

from lichen.ir.accesses import Accesses
from lichen.ir.kernel import Core, KernelCall, Operand, Result, Table
from lichen.ir.module import Array, Operation
from lichen.ir.operator import Operator, register, require
from lichen.ops.fixed_point import ACTIVATIONS, activation_range, clamp_float, multiply, to_int8
from lichen.ops.weights import bias_or_zero, channel_multipliers, check_weights, constant_operand, multiplier_tables
from lichen.ops.window import Window

BLOCK = 4  # output channels that the int8 kernel computes at once


@register
class Conv2D(Operator):
    """x (1, H, W, C), weights (O, kernel_h, kernel_w, C), bias (O) optional -> (1, H', W', O).

    int8: same bytes as TensorFlow Lite Micro. float32: within 1e-5 relative of the sum in double.
    """

    kind = "conv2d"
    operands = (2, 3)
    attributes = {"stride": tuple, "padding": tuple, "dilation": tuple, "activation": str}

    def check(self, operation: Operation) -> None:
        source, weights, result = operation.operands[0].type, operation.operands[1].type, operation.results[0].type
        require(weights.rank == 4, f"weights must be (out, kernel_h, kernel_w, in), not {list(weights.shape)}")
        window = _window(operation)
        require(
            weights.shape[3] == source.shape[3],
            f"weights for {weights.shape[3]} channels, input with {source.shape[3]}",
        )
        expected = (1, window.out_h, window.out_w, weights.shape[0])
        require(result.shape == expected, f"the result must be {list(expected)}, not {list(result.shape)}")
        check_weights(operation, weights.shape[0], channel_axis=0)
        require(
            operation.str_attribute("activation") in ACTIVATIONS,
            f"no such activation: {operation.attributes['activation']}",
        )

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        x, weights = operands[0], operands[1]
        window, result = _window(operation), operation.results[0].type
        channels = weights.shape[0]
        matrix = weights.reshape(channels, -1).astype(np.float64).T
        bias = bias_or_zero(operation, channels)
        activation = operation.str_attribute("activation")
        if result.dtype.is_float:
            sums = window.patches(x, 0.0).reshape(window.out_h * window.out_w, -1) @ matrix + bias
            return (clamp_float(sums, activation).reshape(result.shape),)
        source = operation.operands[0].type
        patches = window.patches(x, source.zero_point).reshape(window.out_h * window.out_w, -1).astype(np.float64)
        # Exact: |sums| stay far below 2^53.
        accumulators = ((patches - source.zero_point) @ matrix).astype(np.int64) + bias
        mantissa, shift = multiplier_tables(channel_multipliers(source, operation.operands[1].type, result, channels))
        low, high = activation_range(activation, result)
        return (to_int8(multiply(accumulators, mantissa, shift) + result.zero_point, low, high).reshape(result.shape),)

    def macs(self, operation: Operation) -> int:
        return (
            operation.results[0].type.elements
            * operation.operands[1].type.elements
            // operation.operands[1].type.shape[0]
        )

    def accesses(self, operation: Operation) -> Accesses:
        return _window(operation).accesses(operation.operands[0].type, operation.results[0].type)

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        source, result = operation.operands[0].type, operation.results[0].type
        window, weights = _window(operation), constant_operand(operation, 1)
        channels = weights.shape[0]
        views = Operand(0, rows=window.in_h), Result(0, rows=window.out_h)
        params: dict[str, int | float] = dict(window.params(source, result))
        bias = bias_or_zero(operation, channels)
        activation = operation.str_attribute("activation")
        if result.dtype.is_float:
            low, high = ACTIVATIONS[activation]
            tables = Table("weights", weights), Table("bias", bias)
            return KernelCall("conv2d_f32", {**params, "low": low, "high": high}, (*views, *tables), rows=window.out_h)
        low_int, high_int = activation_range(activation, result)
        params |= {"in_zero": source.zero_point, "out_zero": result.zero_point, "low": low_int, "high": high_int}
        folded = bias.astype(np.int64) - source.zero_point * weights.reshape(channels, -1).sum(axis=1, dtype=np.int64)
        mantissa, shift = multiplier_tables(channel_multipliers(source, operation.operands[1].type, result, channels))
        tables8 = (
            Table("weights", interleave(weights.reshape(channels, -1), BLOCK)),
            Table("bias", folded.astype(np.int32)),
            Table("multiplier", mantissa),
            Table("shift", shift),
        )
        return KernelCall("conv2d_s8", params, (*views, *tables8), rows=window.out_h)


def _window(operation: Operation) -> Window:
    weights = operation.operands[1].type
    return Window.of(operation, (weights.shape[1], weights.shape[2]))


def interleave(rows: Array, block: int) -> Array:
    """Rows (n, k) in blocks of `block`, each block transposed to (k, block), the rest to (k, n % block); one flat array."""
    return np.concatenate([rows[i : i + block].T.ravel() for i in range(0, len(rows), block)])
