"""The last part of a quantised model in float32, so that it can learn; what is in front of it stays as it is, to the byte."""

from __future__ import annotations

import numpy as np

from lichen.errors import UnsupportedError
from lichen.ir.module import Array, Attribute, Constant, Function, Namer, Operation, State, Value, constant
from lichen.ir.types import DType, TensorType
from lichen.ops.depthwise_conv2d import DepthwiseConv2D

_CONVERSIONS = ("quantize", "dequantize")


def make_float(function: Function, first: Operation, names: Namer) -> None:
    """Operation `first` and all that depends on it compute in float32; what comes from before is dequantised where it enters.

    `names` gives out names for constants. Raises `UnsupportedError` where state is in the way.
    """
    tail = _dependents(function, first)
    local = Namer(v.name for v in function.values())
    operations: list[Operation] = []
    real: dict[Value, Value] = {}

    def entering(value: Value) -> Value:
        if value.type.quantisation is None or isinstance(value, Constant):
            return value
        if value not in real:
            real[value] = Value(local(f"{value.name}_real"), TensorType(value.type.shape, DType.FLOAT32))
            operations.append(Operation("dequantize", [value], [real[value]]))
        return real[value]

    for op in function.operations:
        if op not in tail:
            operations.append(op)
            continue
        if any(isinstance(v, State) for v in op.operands):
            raise UnsupportedError(f"{op.kind} '{op.name}' uses state in int8; let learning begin behind it")
        if op.kind in _CONVERSIONS:
            real[op.results[0]] = entering(op.operands[0])
            continue
        constants = _real_constants(op, names)
        operands = [constants.get(i) or entering(v) for i, v in enumerate(op.operands)]
        results = [_real_value(v) for v in op.results]
        real.update(zip(op.results, results, strict=True))
        operations.append(Operation(op.kind, operands, results, _real_attributes(op)))
    function.operations = operations
    function.outputs = [real.get(v, v) for v in function.outputs]


def _dependents(function: Function, first: Operation) -> set[Operation]:
    """`first` and the operations that use its results, directly or not."""
    found, values = {first}, set(first.results)
    for op in function.operations:
        if any(v in values for v in op.operands):
            found.add(op)
            values.update(op.results)
    return found


def _real_value(value: Value) -> Value:
    if value.type.quantisation is None:
        return Value(value.name, value.type)
    return Value(value.name, TensorType(value.type.shape, DType.FLOAT32))


def _real_attributes(op: Operation) -> dict[str, Attribute]:
    attributes = dict(op.attributes)
    source = op.operands[0].type
    if op.kind == "pad" and source.quantisation is not None:
        attributes["value"] = (op.float_attribute("value") - source.zero_point) * source.scale
    return attributes


def _real_constants(op: Operation, names: Namer) -> dict[int, Value]:
    """The constant operands of an int8 operation as float32, by operand."""
    found: dict[int, Value] = {}
    weighted = op.kind in ("dense", "conv2d", DepthwiseConv2D.kind)
    for index, value in enumerate(op.operands):
        if not isinstance(value, Constant) or op.operands[0].type.quantisation is None:
            continue
        if weighted and index == 2:  # stored at the scale of the products, whatever its type says
            quantisation = op.operands[1].type.quantisation
            assert quantisation is not None
            data = value.data.astype(np.float64) * np.array(quantisation.scale) * op.operands[0].type.scale
        elif value.type.quantisation is not None:
            data = _dequantised(value)
        else:
            continue
        found[index] = constant(names(f"{value.name}_real"), data, TensorType(value.type.shape, DType.FLOAT32))
    return found


def _dequantised(value: Constant) -> Array:
    q = value.type.quantisation
    assert q is not None
    shape = [1] * value.type.rank
    if q.axis is not None:
        shape[q.axis] = len(q.scale)
    scale, zero = (
        np.array(x, np.float64).reshape(shape if q.axis is not None else ()) for x in (q.scale, q.zero_point)
    )
    real: Array = (value.data.astype(np.float64) - zero) * scale
    return real
