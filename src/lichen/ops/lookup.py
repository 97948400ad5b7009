"""Operators that map each element by itself: in int8 a table of 256 bytes, filled by the exact reference at compile time."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from lichen.ir.accesses import Accesses, elementwise
from lichen.ir.kernel import Core, KernelCall, Result, Table
from lichen.ir.module import Array, Operation
from lichen.ir.operator import Operator, require
from lichen.ir.types import DType, TensorType
from lichen.ops.fixed_point import Int64Array, Multiplier, quantize_multiplier
from lichen.ops.params import in_arena, int32_params


class ElementMap(Operator):
    """x -> result of the same shape, both int8 with one scale each, or both float32."""

    operands = (1, 1)

    def check(self, operation: Operation) -> None:
        check_same_shape(operation)
        source_type, result = operation.operands[0].type, operation.results[0].type
        require(
            source_type.dtype is result.dtype and result.dtype in (DType.INT8, DType.FLOAT32),
            f"a {source_type.dtype.value} input and a {result.dtype.value} result do not go together: both i8 or both f32",
        )
        if result.dtype is DType.INT8:
            check_quantised(source_type, result)
            self.map_int8(operation, stored_values(DType.INT8))

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        if operation.results[0].type.dtype.is_float:
            return (self.map_float(operation, operands[0]).astype(np.float32),)
        table = self.map_int8(operation, stored_values(DType.INT8))
        return (table[operands[0].view(np.uint8)].astype(np.int8),)

    def accesses(self, operation: Operation) -> Accesses:
        size = operation.results[0].type.dtype.size
        return elementwise(operation.results[0].type.elements, {0: size}, size)

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        if operation.results[0].type.dtype.is_float:
            return self.lower_float(operation)
        return lower_table(operation, self.map_int8(operation, stored_values(DType.INT8)), core)

    @abstractmethod
    def map_int8(self, operation: Operation, stored: Int64Array) -> Int64Array:
        """The stored result of each stored input. Raises `VerifyError` for scales that the arithmetic cannot hold."""

    @abstractmethod
    def map_float(self, operation: Operation, x: Array) -> Array:
        """The float32 result of each float32 input."""

    @abstractmethod
    def lower_float(self, operation: Operation) -> KernelCall:
        """The call of the float32 kernel."""


def check_same_shape(operation: Operation) -> None:
    """The type rule of an elementwise operator of one operand. Raises `VerifyError`."""
    shape, expected = operation.results[0].type.shape, operation.operands[0].type.shape
    require(shape == expected, f"the result must be {list(expected)} like the input, not {list(shape)}")


def check_quantised(*types: TensorType) -> None:
    """Raises `VerifyError` unless each type has one scale and one zero point."""
    for type_ in types:
        q = type_.quantisation
        require(
            q is not None and not q.is_per_channel,
            f"a tensor of {type_.dtype.value} must have one scale and zero point",
        )


def stored_values(dtype: DType) -> Int64Array:
    """All values of an 8-bit type, ordered by their bit pattern: the order of a byte table."""
    return np.arange(256, dtype=np.uint8).view(dtype.numpy).astype(np.int64)


def scale_ratio(operation: Operation) -> Multiplier:
    """Input scale over result scale. Raises `VerifyError` where fixed-point arithmetic cannot hold it."""
    return quantize_multiplier(operation.operands[0].type.scale / operation.results[0].type.scale)


def lower_table(operation: Operation, table: Int64Array, core: Core) -> KernelCall:
    """The call that maps bytes by `table`, whose entry `k` is the stored result (8 bits) of bit pattern `k`."""
    return KernelCall(
        "lookup_s8_dsp" if core.has("dsp") else "lookup_s8",
        int32_params(operation, count=operation.results[0].type.elements),
        (in_arena(operation, 0), Result(0), Table("table", table.astype(np.uint8).view(np.int8))),
    )


def unary_call(operation: Operation, kernel: str, **params: float) -> KernelCall:
    """The call of an elementwise float32 kernel `(p, in, out)` whose parameters start with the count."""
    count = int32_params(operation, count=operation.results[0].type.elements)
    return KernelCall(kernel, {**count, **params}, (in_arena(operation, 0), Result(0)))
