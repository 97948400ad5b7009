"""Depthwise two-dimensional convolution, NHWC, with a fused activation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lichen.ir.accesses import Accesses
from lichen.ir.gradient import Backward
from lichen.ir.kernel import Core, KernelCall, Operand, Result
from lichen.ir.module import Array, Operation, State, Value
from lichen.ir.operator import Operator, register, require
from lichen.ops.conv2d_dsp import conv2d_dsp
from lichen.ops.conv2d_mve import conv2d_mve
from lichen.ops.conv2d_v6m import conv2d_v6m
from lichen.ops.depthwise_3x3_dsp import depthwise_3x3_dsp
from lichen.ops.depthwise_conv2d_dsp import depthwise_conv2d_dsp, serves
from lichen.ops.depthwise_conv2d_mve import depthwise_conv2d_mve
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
class DepthwiseConv2D(Operator):
    """x (1, H, W, C), weights (1, kernel_h, kernel_w, C * m), bias (C * m) optional -> (1, H', W', C * m).

    Output channel o is computed from input channel o // m. int8: same bytes as TensorFlow Lite Micro. float32: sums in the order
    rows, columns, bias; within 1e-5 of the sum of the products' magnitudes.
    """

    kind = "depthwise_conv2d"
    operands = (2, 3)
    reads_state = frozenset({1, 2})
    attributes = {"stride": tuple, "padding": tuple, "dilation": tuple, "activation": str}

    def check(self, operation: Operation) -> None:
        source, weights, result = operation.operands[0].type, operation.operands[1].type, operation.results[0].type
        require(
            weights.rank == 4 and weights.shape[0] == 1,
            f"weights must be (1, kernel_h, kernel_w, out), not {list(weights.shape)}",
        )
        window = Window.over(operation)
        require(
            weights.shape[3] % source.shape[3] == 0,
            f"{weights.shape[3]} output channels are no multiple of the input's {source.shape[3]}",
        )
        expected = (1, window.out_h, window.out_w, weights.shape[3])
        require(result.shape == expected, f"the result must be {list(expected)}, not {list(result.shape)}")
        check_weights(operation, channel_axis=3)

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        window, channels = Window.over(operation), operation.operands[0].type.shape[3]
        x, weights = factors(operation, operands, taps=window.kernel[0] * window.kernel[1])
        patches, by_input = window.patches(x, 0), weights[0].reshape(*window.kernel, channels, -1)
        sums = np.einsum("yxijc,ijcm->yxcm", patches, by_input).reshape(window.out_h, window.out_w, -1)
        return (finish(operation, operands, sums),)

    def macs(self, operation: Operation) -> int:
        kernel_h, kernel_w = operation.operands[1].type.shape[1:3]
        return operation.results[0].type.elements * kernel_h * kernel_w

    def accesses(self, operation: Operation) -> Accesses:
        return Window.over(operation).accesses(operation.operands[0].type, operation.results[0].type)

    def row_accesses(self, operation: Operation) -> Accesses:
        source, result = operation.operands[0].type, operation.results[0].type
        if _is_in_tiles(operation):
            return Window.over(operation).band_accesses(source, result, 1)
        return self.accesses(operation)

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        source, result = operation.operands[0].type, operation.results[0].type
        window, weights = Window.over(operation), operation.operands[1]
        channels, taps = weights.type.shape[3], window.kernel[0] * window.kernel[1]
        views = Operand(0, rows=window.in_h), Result(0, rows=window.out_h)
        params, clamp = row_lengths(operation) | window.params(operation), clamp_params(operation)
        if isinstance(weights, State):
            params |= float_weights_in_flash(operation) | clamp
            arguments = *views, *float_weights(operation, channels)
            return KernelCall("depthwise_conv2d_f32", params, arguments, rows=window.out_h)
        rows = np.ascontiguousarray(constant_operand(operation, 1).reshape(taps, channels).T)
        # Over a single input channel every output channel sees the same window: an ordinary convolution.
        is_convolution = source.shape[3] == 1
        kernel = "conv2d" if is_convolution else "depthwise_conv2d"
        if result.dtype.is_float:
            params |= float_weights_in_flash(operation) | clamp
            arguments = *views, *float_weights(operation, channels, rows if is_convolution else None)
            return KernelCall(f"{kernel}_f32", params, arguments, rows=window.out_h)
        if core.has("mve") and is_convolution:
            return conv2d_mve(operation, params, views, rows)
        if core.has("mve") and channels == source.shape[3]:
            call = depthwise_conv2d_mve(operation, params, views, rows)
            if call is not None:
                return call
        if core.has("dsp") and _is_in_tiles(operation):
            by_taps = rows.reshape(-1, *window.kernel)
            return depthwise_3x3_dsp(operation, params, views, by_taps, window) or depthwise_conv2d_dsp(
                operation, params, views, by_taps, window
            )
        if core.has("dsp") and is_convolution:
            call = conv2d_dsp(operation, params, views, rows.reshape(-1, *window.kernel))
            if call is not None:
                return call
        params |= int16_params(operation, in_zero=source.zero_point, out_zero=result.zero_point) | clamp
        if core.has("v6m") and is_convolution:
            call = conv2d_v6m(operation, params, views, rows)
            if call is not None:
                return call
        together = is_convolution or channels == source.shape[3]
        params["block"] = block = channel_block(operation, core, rows) if together else 1
        tables8 = int8_tables(operation, rows, block)
        return KernelCall(f"{kernel}_s8", params, (*views, *tables8), rows=window.out_h)

    def gradient(
        self, operation: Operation, gradients: Sequence[Value | None], backward: Backward
    ) -> Mapping[int, Value]:
        return weights_gradient(operation, gradients[0], backward, **window_attributes(operation))


def _is_in_tiles(operation: Operation) -> bool:
    """Whether cores with DSP instructions compute `operation` in tiles."""
    source, result = operation.operands[0].type, operation.results[0].type
    if source.dtype.is_float or source.shape[3] != result.shape[3]:
        return False
    return serves(Window.over(operation), source.shape[3])
