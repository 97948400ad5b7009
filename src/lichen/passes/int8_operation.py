"""The int8 counterpart of one float operation, whose operands and results are known in int8."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lichen.errors import LichenError
from lichen.ir.module import Array, Attribute, Constant, Namer, Operation, Value, constant
from lichen.ir.operator import operator
from lichen.ir.types import DType, Quantisation, TensorType
from lichen.ops.fixed_point import INT32_MAX
from lichen.passes.weight_grid import weight_grid

_CHANNEL_AXIS = {"conv2d": 0, "dense": 0, "depthwise_conv2d": 3}
_SAME_SCALE = frozenset({"max_pool2d", "avg_pool2d", "pad", "resize_nearest", "concat"})
_FIXED = {
    "softmax": Quantisation.per_tensor(1.0 / 256.0, -128),
    "logistic": Quantisation.per_tensor(1.0 / 256.0, -128),
    "tanh": Quantisation.per_tensor(1.0 / 128.0, 0),
}
_FREE = frozenset({"add", "sub", "mul", "mean", "relu", "relu6", "leaky_relu", "hard_swish"})
KINDS = frozenset(_CHANNEL_AXIS) | _SAME_SCALE | frozenset(_FIXED) | _FREE
"""Operators that have an int8 form."""


@dataclass(frozen=True)
class Int8Names:
    """Where new values and new constants get their names."""

    values: Namer
    constants: Namer


def int8_operations(
    op: Operation, stored: Sequence[Value | None], wanted: TensorType, names: Int8Names
) -> list[Operation] | None:
    """int8 operations that end in a value of type `wanted`, named like the result of `op`; `None` if int8 cannot express it.

    `stored` holds the int8 value behind each operand, `None` for a float constant. Where an operator fixes its scale (softmax) or
    keeps that of its operand (pooling), a requantisation is added if `wanted` is another.
    """
    operands = _operands(op, stored, wanted, names)
    if operands is None or operands[0].type.quantisation is None:
        return None
    before, values = operands_like(wanted, operands, names) if op.kind == "concat" else ([], operands)
    own = _own_type(op.kind, values[0].type, wanted)
    attributes = _attributes(op, own)
    if attributes is None:
        return None
    name = op.results[0].name
    if own == wanted:
        operations = [Operation(op.kind, values, [Value(name, wanted)], attributes)]
    else:
        between = Value(names.values(name), own)
        operations = [
            Operation(op.kind, values, [between], attributes),
            Operation("quantize", [between], [Value(name, wanted)]),
        ]
    operations = [*before, *operations]
    try:
        for candidate in operations:
            operator(candidate.kind).check(candidate)
    except LichenError:
        return None
    return operations


def operands_like(wanted: TensorType, operands: list[Value], names: Int8Names) -> tuple[list[Operation], list[Value]]:
    """Operands under the quantisation of `wanted`, and the requantisations that takes."""
    operations, values = [], []
    for value in operands:
        if value.type.quantisation == wanted.quantisation:
            values.append(value)
            continue
        values.append(Value(names.values(value.name), wanted.with_shape(*value.type.shape)))
        operations.append(Operation("quantize", [value], [values[-1]]))
    return operations, values


def _own_type(kind: str, source: TensorType, wanted: TensorType) -> TensorType:
    """The type the operator itself gives its result."""
    if kind in _FIXED:
        return replace(wanted, quantisation=_FIXED[kind])
    if kind in _SAME_SCALE:
        return replace(wanted, quantisation=source.quantisation)
    return wanted


def _attributes(op: Operation, own: TensorType) -> dict[str, Attribute] | None:
    if op.kind != "pad":
        return dict(op.attributes)
    value = round(op.float_attribute("value") / own.scale) + own.zero_point
    return {**op.attributes, "value": float(value)} if -128 <= value <= 127 else None


def _operands(
    op: Operation, stored: Sequence[Value | None], wanted: TensorType, names: Int8Names
) -> list[Value] | None:
    if op.kind in _CHANNEL_AXIS:
        return _layer(op, stored[0], names)
    values: list[Value] = []
    for operand, value in zip(op.operands, stored, strict=True):
        if value is None:
            assert isinstance(operand, Constant)
            value = _constant(operand, names)
        values.append(value)
    return values


def _layer(op: Operation, source: Value | None, names: Int8Names) -> list[Value] | None:
    """Input, int8 weights with a scale per output channel or one for all, int32 bias at `input scale * weight scale`; `None` where weights are not in int8."""
    if source is None:
        return None
    weights = op.operands[1]
    assert isinstance(weights, Constant)
    axis = _CHANNEL_AXIS[op.kind]
    rows = np.moveaxis(weights.data, axis, 0)
    grid = weight_grid(rows.reshape(len(rows), -1))
    if grid is None:
        return None
    values, scales = grid
    packed = np.moveaxis(values.reshape(rows.shape), 0, axis)
    quantisation = Quantisation(scales, (0,) * len(scales), axis if len(scales) == len(rows) else None)
    operands = [source, _int8_constant(weights.name, packed, quantisation, names)]
    if len(op.operands) > 2:
        bias = op.operands[2]
        assert isinstance(bias, Constant)
        exact = np.rint(bias.data / (source.type.scale * np.array(scales, np.float64)))
        if np.abs(exact).max(initial=0.0) > INT32_MAX:
            return None
        type_ = TensorType(bias.type.shape, DType.INT32)
        operands.append(constant(names.constants(bias.name), exact.astype(np.int32), type_))
    return operands


def _constant(operand: Constant, names: Int8Names) -> Constant:
    """A float constant of an arithmetic operator. One single number is kept exactly; several share a scale for their range."""
    low, high = min(float(operand.data.min()), 0.0), max(float(operand.data.max()), 0.0)
    if low == high:
        quantisation = Quantisation.per_tensor(1.0, 0)
    elif operand.data.min() == operand.data.max():
        quantisation = Quantisation.per_tensor(float(np.float32((high - low) / 127)), 0)
    else:
        scale = float(np.float32((high - low) / 255))
        quantisation = Quantisation.per_tensor(scale, round(-128 - low / scale))
    scale, zero = quantisation.scale[0], quantisation.zero_point[0]
    stored = np.clip(np.rint(operand.data / scale) + zero, -128, 127).astype(np.int8)
    return _int8_constant(operand.name, stored, quantisation, names)


def _int8_constant(name: str, data: Array, quantisation: Quantisation, names: Int8Names) -> Constant:
    return constant(names.constants(name), data, TensorType(data.shape, DType.INT8, quantisation))
