"""Two-dimensional convolution, NHWC, with a fused activation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lichen.ir.accesses import Accesses
from lichen.ir.gradient import Backward
from lichen.ir.kernel import Core, KernelCall, Operand, Result
from lichen.ir.module import Array, Operation, Value
from lichen.ir.operator import Operator, register, require
from lichen.ops.conv2d_dsp import conv2d_dsp
from lichen.ops.conv2d_mve import conv2d_mve
from lichen.ops.conv2d_v6m import conv2d_v6m
from lichen.ops.params import int16_params, row_lengths
from lichen.ops.weights import (
    channel_block,
    check_weights,
    clamp_params,
    constant_operand,
    factors,
    finish,
    float_weights,
    float_weights_in_flash,
    int8_tables,
    weights_gradient,
)
from lichen.ops.window import Window, window_attributes


@register
class Conv2D(Operator):
    """x (1, H, W, C), weights (O, kernel_h, kernel_w, C), bias (O) optional -> (1, H', W', O).

    int8: same bytes as TensorFlow Lite Micro. float32: sums in the order rows, columns, channels, bias; within 1e-5 of the sum of
    the products' magnitudes.
    """

    kind = "conv2d"
    operands = (2, 3)
    reads_state = frozenset({1, 2})
    attributes = {"stride": tuple, "padding": tuple, "dilation": tuple, "activation": str}

    def check(self, operation: Operation) -> None:
        source, weights, result = operation.operands[0].type, operation.operands[1].type, operation.results[0].type
        require(weights.rank == 4, f"weights must be (out, kernel_h, kernel_w, in), not {list(weights.shape)}")
        window = Window.over(operation)
        require(
            weights.shape[3] == source.shape[3],
            f"weights for {weights.shape[3]} channels, input with {source.shape[3]}",
        )
        expected = (1, window.out_h, window.out_w, weights.shape[0])
        require(result.shape == expected, f"the result must be {list(expected)}, not {list(result.shape)}")
        check_weights(operation, channel_axis=0)

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        window, channels = Window.over(operation), len(operands[1])
        x, weights = factors(operation, operands, taps=operands[1].size // channels)
        patches = window.patches(x, 0).reshape(window.out_h * window.out_w, -1)
        return (finish(operation, operands, patches @ weights.reshape(channels, -1).T),)

    def macs(self, operation: Operation) -> int:
        weights = operation.operands[1].type
        return operation.results[0].type.elements * weights.elements // weights.shape[0]

    def accesses(self, operation: Operation) -> Accesses:
        return Window.over(operation).accesses(operation.operands[0].type, operation.results[0].type)

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        source, result = operation.operands[0].type, operation.results[0].type
        window = Window.over(operation)
        views = Operand(0, rows=window.in_h), Result(0, rows=window.out_h)
        params, clamp = row_lengths(operation) | window.params(operation), clamp_params(operation)
        if result.dtype.is_float:
            params |= float_weights_in_flash(operation) | clamp
            arguments = *views, *float_weights(operation, result.shape[3])
            return KernelCall("conv2d_f32", params, arguments, rows=window.out_h)
        weights = constant_operand(operation, 1)
        if core.has("mve"):
            return conv2d_mve(
                operation, row_lengths(operation) | window.params(operation), views, weights.reshape(len(weights), -1)
            )
        if core.has("dsp"):
            by_runs = weights.reshape(*weights.shape[:2], -1)
            call = conv2d_dsp(operation, row_lengths(operation) | window.params(operation), views, by_runs)
            if call is not None:
                return call
        params |= int16_params(operation, in_zero=source.zero_point, out_zero=result.zero_point) | clamp
        rows = weights.reshape(len(weights), -1)
        if core.has("v6m"):
            call = conv2d_v6m(operation, params, views, rows)
            if call is not None:
                return call
        params["block"] = block = channel_block(operation, core, rows)
        tables8 = int8_tables(operation, rows, block)
        return KernelCall("conv2d_s8", params, (*views, *tables8), rows=window.out_h)

    def gradient(
        self, operation: Operation, gradients: Sequence[Value | None], backward: Backward
    ) -> Mapping[int, Value]:
        return weights_gradient(operation, gradients[0], backward, **window_attributes(operation))
