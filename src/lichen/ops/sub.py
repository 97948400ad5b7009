"""Elementwise difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lichen.ir.gradient import Backward
from lichen.ir.kernel import Core, KernelCall
from lichen.ir.module import Array, Operation, Value
from lichen.ir.operator import register
from lichen.ops.activation import through_activation
from lichen.ops.binary import Binary, evaluate_float, float_limits
from lichen.ops.broadcast_gradient import summed
from lichen.ops.scaled_sum import ScaledSum


@register
class Sub(Binary):
    """a - b. int8: same bytes as TensorFlow Lite Micro. float32: exact."""

    kind = "sub"

    def check_int8(self, operation: Operation) -> None:
        ScaledSum.of(operation, -1)

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        if operation.results[0].type.dtype.is_float:
            return evaluate_float(operation, np.subtract, operands)
        return ScaledSum.of(operation, -1).evaluate(operation, *operands)

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        if operation.results[0].type.dtype.is_float:
            return self.call(operation, "add_f32", ("a", "b"), {"b_factor": -1.0} | float_limits(operation))
        return ScaledSum.of(operation, -1).lower(self, operation, core)

    def gradient(
        self, operation: Operation, gradients: Sequence[Value | None], backward: Backward
    ) -> Mapping[int, Value]:
        (gradient,) = gradients
        assert gradient is not None
        gradient = through_activation(operation, gradient, backward)
        factors = enumerate(zip(operation.operands, (1.0, -1.0), strict=True))
        return {i: summed(gradient, v, backward, factor) for i, (v, factor) in factors if backward.wants(v)}
