"""Rectified linear unit as an operator of its own."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from lichen.ir.gradient import Backward
from lichen.ir.kernel import KernelCall
from lichen.ir.module import Array, Operation, Value
from lichen.ir.operator import register
from lichen.ops.element_gradient import element_gradient
from lichen.ops.fixed_point import INT8_MAX, Int64Array, multiply
from lichen.ops.lookup import ElementMap, scale_ratio, unary_call


@register
class Relu(ElementMap):
    """x -> max(x, 0). int8: same bytes as TensorFlow Lite Micro, which brings x to the scale of the result. float32: exact."""

    kind = "relu"

    def map_int8(self, operation: Operation, stored: Int64Array) -> Int64Array:
        zero, ratio = operation.results[0].type.zero_point, scale_ratio(operation)
        scaled = multiply(stored - operation.operands[0].type.zero_point, ratio.mantissa, ratio.shift)
        return np.clip(scaled + zero, zero, INT8_MAX)

    def map_float(self, operation: Operation, x: Array) -> Array:
        return np.maximum(x, np.float32(0))

    def lower_float(self, operation: Operation) -> KernelCall:
        return unary_call(operation, "limit_f32", low=0.0, high=math.inf)

    def gradient(
        self, operation: Operation, gradients: Sequence[Value | None], backward: Backward
    ) -> Mapping[int, Value]:
        return element_gradient(
            operation, gradients[0], backward, "limit_grad", operation.results[0], activation="relu"
        )
