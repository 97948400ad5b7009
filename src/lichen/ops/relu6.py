"""Rectified linear unit capped at 6, as an operator of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lichen.ir.gradient import Backward
from lichen.ir.kernel import KernelCall
from lichen.ir.module import Array, Operation, Value
from lichen.ir.operator import register
from lichen.ops.element_gradient import element_gradient
from lichen.ops.fixed_point import Int64Array, activation_range
from lichen.ops.lookup import ElementMap, unary_call


@register
class Relu6(ElementMap):
    """x -> min(max(x, 0), 6). float32: exact.

    int8: same bytes as TensorFlow Lite Micro, which limits the stored values in the scale of the input and does not bring them to
    that of the result; give both the same quantisation.
    """

    kind = "relu6"

    def map_int8(self, operation: Operation, stored: Int64Array) -> Int64Array:
        low, high = activation_range("relu6", operation.operands[0].type)
        return np.clip(stored, low, high)

    def map_float(self, operation: Operation, x: Array) -> Array:
        return np.clip(x, np.float32(0), np.float32(6))

    def lower_float(self, operation: Operation) -> KernelCall:
        return unary_call(operation, "limit_f32", low=0.0, high=6.0)

    def gradient(
        self, operation: Operation, gradients: Sequence[Value | None], backward: Backward
    ) -> Mapping[int, Value]:
        return element_gradient(
            operation, gradients[0], backward, "limit_grad", operation.results[0], activation="relu6"
        )
