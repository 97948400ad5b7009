"""What operators with weights share: their type rules and the tables of a requantisation."""

from __future__ import annotations

import numpy as np

from lichen.ir.module import Array, Constant, Operation
from lichen.ir.operator import require
from lichen.ir.types import DType, TensorType
from lichen.ops.fixed_point import Multiplier, quantize_multiplier


def constant_operand(operation: Operation, index: int) -> Array:
    """The data of an operand that must be known at compile time."""
    value = operation.operands[index]
    assert isinstance(value, Constant)
    return value.data


def bias_or_zero(operation: Operation, channels: int) -> Array:
    """The bias (operand 2), or zeros where the operation has none."""
    if len(operation.operands) > 2:
        return constant_operand(operation, 2)
    return np.zeros(channels, np.float32 if operation.results[0].type.dtype.is_float else np.int32)


def check_weights(operation: Operation, channels: int, channel_axis: int) -> None:
    """Weights and bias of `channels` output channels: both constant, of the right types, symmetric. Raises `VerifyError`."""
    source, result = operation.operands[0].type, operation.results[0].type
    for index, role in enumerate(("weights", "bias"), start=1):
        if index < len(operation.operands):
            require(isinstance(operation.operands[index], Constant), f"the {role} must be constant")
    weights = operation.operands[1].type
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
    if expected is DType.INT8:
        q = weights.quantisation
        require(q is not None, "int8 weights need their scales")
        assert q is not None
        require(
            q.axis in (None, channel_axis), f"weights are quantised along axis {q.axis}, not along the output channels"
        )
        require(not any(q.zero_point), "weights must be quantised symmetrically (zero point 0)")
        for multiplier in channel_multipliers(source, weights, result, channels):
            assert multiplier.mantissa >= 0


def channel_multipliers(source: TensorType, weights: TensorType, result: TensorType, channels: int) -> list[Multiplier]:
    """`input scale * weight scale / output scale` for each output channel, in double as TensorFlow Lite Micro computes it."""
    assert weights.quantisation is not None
    scales = weights.quantisation.scale
    if len(scales) == 1:
        scales = scales * channels
    return [quantize_multiplier(source.scale * scale / result.scale) for scale in scales]


def multiplier_tables(multipliers: list[Multiplier]) -> tuple[Array, Array]:
    """Mantissas (int32) and shifts (int8)."""
    return (
        np.array([m.mantissa for m in multipliers], np.int32),
        np.array([m.shift for m in multipliers], np.int8),
    )
