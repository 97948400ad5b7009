"""The logistic function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lichen.ir.gradient import Backward
from lichen.ir.kernel import KernelCall
from lichen.ir.module import Array, Operation, Value
from lichen.ir.operator import register, require
from lichen.ops import gemmlowp
from lichen.ops.element_gradient import element_gradient
from lichen.ops.fixed_point import INT8_MIN, Int64Array
from lichen.ops.lookup import ElementMap, unary_call
from lichen.ops.sigmoids import saturating_map


@register
class Logistic(ElementMap):
    """x -> 1 / (1 + exp(-x)). float32: within 1e-6 absolute.

    int8: same bytes as TensorFlow Lite Micro, whose result has scale 1/256 and zero point -128.
    """

    kind = "logistic"

    def check(self, operation: Operation) -> None:
        super().check(operation)
        result = operation.results[0].type
        require(
            result.dtype.is_float or (result.scale == 1 / 256 and result.zero_point == INT8_MIN),
            "the result of an int8 logistic has scale 1/256 and zero point -128",
        )

    def map_int8(self, operation: Operation, stored: Int64Array) -> Int64Array:
        return saturating_map(operation.operands[0].type, stored, gemmlowp.logistic, 8, INT8_MIN)

    def map_float(self, operation: Operation, x: Array) -> Array:
        with np.errstate(over="ignore"):
            return 1.0 / (1.0 + np.exp(-x.astype(np.float64)))

    def lower_float(self, operation: Operation) -> KernelCall:
        return unary_call(operation, "logistic_f32")

    def gradient(
        self, operation: Operation, gradients: Sequence[Value | None], backward: Backward
    ) -> Mapping[int, Value]:
        return element_gradient(operation, gradients[0], backward, "logistic_grad", operation.results[0])
