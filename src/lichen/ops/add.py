"""Elementwise sum."""

from __future__ import annotations

import numpy as np

from lichen.ir.kernel import Core, KernelCall
from lichen.ir.module import Array, Operation
from lichen.ir.operator import register
from lichen.ops.binary import Binary, evaluate_float, float_limits
from lichen.ops.scaled_sum import ScaledSum


@register
class Add(Binary):
    """a + b. int8: same bytes as TensorFlow Lite Micro. float32: exact."""

    kind = "add"

    def check_int8(self, operation: Operation) -> None:
        ScaledSum.of(operation, 1)

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        if operation.results[0].type.dtype.is_float:
            return evaluate_float(operation, np.add, operands)
        return ScaledSum.of(operation, 1).evaluate(operation, *operands)

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        if operation.results[0].type.dtype.is_float:
            return self.call(operation, "add_f32", ("a", "b"), {"b_factor": 1.0} | float_limits(operation))
        scaled = ScaledSum.of(operation, 1)
        return self.call(operation, "add_s8", ("wide", "narrow"), scaled.params(operation), scaled.order)
