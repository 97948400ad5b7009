"""Fully connected layer, with a fused activation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from lichen.ir.accesses import Accesses, Intervals
from lichen.ir.gradient import Backward
from lichen.ir.kernel import Core, KernelCall, Operand, Result
from lichen.ir.module import Array, Operation, Value
from lichen.ir.operator import Operator, register, require
from lichen.ops.conv2d_dsp import conv2d_dsp
from lichen.ops.conv2d_mve import conv2d_mve
from lichen.ops.conv2d_v6m import conv2d_v6m
from lichen.ops.params import int16_params, int32_params
from lichen.ops.weights import (
    channel_block,
    channel_ratios,
    check_weights,
    clamp_params,
    constant_operand,
    factors,
    finish,
    float_weights,
    float_weights_in_flash,
    int8_tables,
    multiplier_tables,
    weights_gradient,
)


@register
class Dense(Operator):
    """x of `batch * K` elements, weights (O, K), bias (O) optional -> `batch * O` elements, in whatever shapes.

    int8: same bytes as TensorFlow Lite Micro. float32: sums in the order of K, then the bias; within 1e-5 of the sum of the
    products' magnitudes.
    """

    kind = "dense"
    operands = (2, 3)
    reads_state = frozenset({1, 2})
    attributes = {"activation": str}

    def check(self, operation: Operation) -> None:
        source, weights, result = operation.operands[0].type, operation.operands[1].type, operation.results[0].type
        require(weights.rank == 2, f"weights must be (out, in), not {list(weights.shape)}")
        outputs, inputs = weights.shape
        require(
            source.elements % inputs == 0 and result.elements == source.elements // inputs * outputs,
            f"weights {list(weights.shape)} do not lead from {list(source.shape)} to {list(result.shape)}",
        )
        check_weights(operation, channel_axis=0)
        if not source.dtype.is_float:
            multiplier_tables(dense_ratios(operation))

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        taps = operands[1].shape[1]
        x, weights = factors(operation, operands, taps=taps)
        ratios = None if operation.operands[0].type.dtype.is_float else dense_ratios(operation)
        return (finish(operation, operands, x.reshape(-1, taps) @ weights.T, ratios),)

    def macs(self, operation: Operation) -> int:
        return batch_of(operation) * operation.operands[1].type.elements

    def accesses(self, operation: Operation) -> Accesses:
        """One access a row of the batch: all of its inputs are read, all of its outputs written."""

        def rows(total: int) -> Intervals:
            edges = np.arange(batch_of(operation) + 1, dtype=np.int64) * (total // batch_of(operation))
            return np.stack([edges[:-1], edges[1:]], axis=1)

        return Accesses({0: rows(operation.operands[0].type.bytes)}, {0: rows(operation.results[0].type.bytes)})

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        """A 1x1 convolution of an image one pixel wide, each row of the batch a row of it."""
        source, result = operation.operands[0].type, operation.results[0].type
        batch = batch_of(operation)
        outputs, inputs = operation.operands[1].type.shape
        ones = dict.fromkeys(("kernel_h", "kernel_w", "stride_h", "stride_w", "dilation_h", "dilation_w"), 1)
        sizes = {"in_h": batch, "in_w": 1, "in_c": inputs, "out_w": 1, "out_c": outputs}
        params = int32_params(operation, in_length=inputs, out_length=outputs)
        params |= int16_params(operation, **sizes, **ones, pad_top=0, pad_left=0)
        views = Operand(0, rows=batch), Result(0, rows=batch)
        clamp = clamp_params(operation)
        if result.dtype.is_float:
            params |= float_weights_in_flash(operation) | clamp
            return KernelCall("conv2d_f32", params, (*views, *float_weights(operation, outputs)), rows=batch)
        weights = constant_operand(operation, 1)
        if core.has("mve"):
            return conv2d_mve(operation, params, views, weights, dense_ratios(operation))
        fast = None
        if core.has("dsp"):
            fast = conv2d_dsp(operation, params, views, weights[:, None], dense_ratios(operation))
        params |= int16_params(operation, in_zero=source.zero_point, out_zero=result.zero_point) | clamp
        if core.has("v6m"):
            call = conv2d_v6m(operation, params, views, weights, dense_ratios(operation))
            if call is not None:
                return call
        params["block"] = block = channel_block(operation, core, weights, dense_ratios(operation))
        tables8 = int8_tables(operation, weights, block, dense_ratios(operation))
        plain = KernelCall("conv2d_s8", params, (*views, *tables8), rows=batch)
        # The plain kernel takes no scratch, of which the fast one takes twice the input.
        return plain if fast is None else replace(fast, lean=fast.lean or plain)

    def gradient(
        self, operation: Operation, gradients: Sequence[Value | None], backward: Backward
    ) -> Mapping[int, Value]:
        return weights_gradient(operation, gradients[0], backward)


def batch_of(operation: Operation) -> int:
    """How many rows the layer computes."""
    return operation.operands[0].type.elements // operation.operands[1].type.shape[1]


def dense_ratios(operation: Operation) -> tuple[float, ...]:
    """As `channel_ratios`. With one scale for all weights, TensorFlow Lite Micro multiplies it with the input's in float32, not in double."""
    source, weights, result = operation.operands[0].type, operation.operands[1].type, operation.results[0].type
    outputs = weights.shape[0]
    assert weights.quantisation is not None
    if len(weights.quantisation.scale) > 1:
        return channel_ratios(operation, outputs)
    with np.errstate(over="ignore"):
        product = float(np.float32(source.scale) * np.float32(weights.quantisation.scale[0]))
    return (product / result.scale,) * outputs
