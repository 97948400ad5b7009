"""One-operation modules, and the same operation in TensorFlow Lite Micro."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import lichen.ops  # noqa: F401  registers the operators
from lichen.ir.interpret import Interpreter
from lichen.ir.module import Array, Attribute, Constant, Function, Module, Operation, Value, constant
from lichen.ir.types import DType, Quantisation, TensorType
from lichen.ir.verify import verify
from tflite_builder import single_op, tflm, tflm_invoke


def f32(*shape: int) -> TensorType:
    """A float32 type."""
    return TensorType(shape, DType.FLOAT32)


def i8(*shape: int, scale: float = 0.1, zero: int = 0) -> TensorType:
    """A quantised int8 type; the scale is rounded to float32, as files hold it."""
    return TensorType(shape, DType.INT8, Quantisation.per_tensor(float(np.float32(scale)), zero))


def i32(*shape: int, scale: float) -> TensorType:
    """A quantised int32 type, as sums of products have it."""
    return TensorType(shape, DType.INT32, Quantisation.per_tensor(float(np.float32(scale)), 0))


def one_op(
    kind: str,
    operands: Sequence[TensorType | Constant],
    results: Sequence[TensorType],
    attributes: Mapping[str, Attribute] | None = None,
) -> Module:
    """A verified module of one operation; operands given as types become inputs."""
    values = [o if isinstance(o, Constant) else Value(f"x{i}", o) for i, o in enumerate(operands)]
    outputs = [Value(f"y{i}", type_) for i, type_ in enumerate(results)]
    operation = Operation(kind, list(values), outputs, dict(attributes or {}))
    inputs = [v for v in values if not isinstance(v, Constant)]
    module = Module("one", {"infer": Function("infer", inputs, [operation], outputs)})
    verify(module)
    return module


def run(module: Module, *inputs: Array) -> list[Array]:
    """The interpreter's results."""
    return Interpreter(module).run(inputs)


def fixed(data: Any, type_: TensorType, name: str = "k") -> Constant:
    """A constant operand."""
    return constant(name, np.asarray(data), type_)


def bytes_of(type_: TensorType, rng: np.random.Generator) -> Array:
    """Random stored values of a type."""
    low, high = type_.dtype.range
    return rng.integers(low, high + 1, type_.shape).astype(type_.dtype.numpy)


def every_byte(dtype: DType = DType.INT8) -> Array:
    """All 256 stored values, shape (1, 256)."""
    low, high = dtype.range
    return np.arange(low, high + 1).astype(dtype.numpy).reshape(1, 256)


class Micro:
    """One operator in TensorFlow Lite Micro, whose operands have the types of a one-op module."""

    def __init__(self, builtin: str, module: Module, options: Mapping[str, Any] | None = None) -> None:
        (operation,) = module.infer.operations
        inputs = [_description(v.type) for v in operation.operands]
        self._model = single_op(builtin, inputs, _description(operation.results[0].type), options)
        self._interpreter = tflm(self._model)

    def __call__(self, *inputs: Array) -> Array:
        return tflm_invoke(self._interpreter, self._model, inputs)[0]


def _description(type_: TensorType) -> tuple[tuple[int, ...], str, float | None, int]:
    q = type_.quantisation
    return type_.shape, str(type_.dtype.numpy), None if q is None else q.scale[0], 0 if q is None else q.zero_point[0]
