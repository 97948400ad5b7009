"""Dequantisation: stored values become real numbers."""

from __future__ import annotations

import numpy as np

from lichen.ir.accesses import Accesses, elementwise
from lichen.ir.kernel import Core, KernelCall
from lichen.ir.module import Array, Operation
from lichen.ir.operator import Operator, register, require
from lichen.ir.types import DType
from lichen.ops.lookup import check_quantised, check_same_shape, unary_call


@register
class Dequantize(Operator):
    """x (int8) -> scale * (x - zero point) in float32, of the same shape; exact to the last bit."""

    kind = "dequantize"
    operands = (1, 1)

    def check(self, operation: Operation) -> None:
        check_same_shape(operation)
        x, result = operation.operands[0].type, operation.results[0].type
        require(
            x.dtype is DType.INT8 and result.dtype is DType.FLOAT32,
            f"no dequantisation from {x.dtype.value} to {result.dtype.value} is known",
        )
        check_quantised(x)

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        x = operation.operands[0].type
        return (np.float32(x.scale) * (operands[0].astype(np.int32) - x.zero_point).astype(np.float32),)

    def accesses(self, operation: Operation) -> Accesses:
        return elementwise(operation.results[0].type.elements, {0: 1}, 4)

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        x = operation.operands[0].type
        return unary_call(operation, "dequantize_s8", scale=float(np.float32(x.scale)), zero=x.zero_point)
