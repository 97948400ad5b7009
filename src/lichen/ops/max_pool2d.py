"""Maximum pooling, NHWC, with a fused activation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from lichen.ir.gradient import Backward
from lichen.ir.module import Array, Operation, Value
from lichen.ir.operator import register
from lichen.ops.activation import through_activation
from lichen.ops.fixed_point import INT8_MIN, activation_range, clamp_float, to_int8
from lichen.ops.pool import Pool
from lichen.ops.window import Window


@register
class MaxPool2D(Pool):
    """The largest value of each window; padding does not count. int8 and float32 are exact."""

    kind = "max_pool2d"

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        result = operation.results[0].type
        activation = operation.str_attribute("activation")
        fill = -math.inf if result.dtype.is_float else INT8_MIN
        largest = Window.over(operation).patches(operands[0], fill).max(axis=(2, 3))
        if result.dtype.is_float:
            return (clamp_float(largest, activation).reshape(result.shape),)
        return (to_int8(largest, *activation_range(activation, result)).reshape(result.shape),)

    def gradient(
        self, operation: Operation, gradients: Sequence[Value | None], backward: Backward
    ) -> Mapping[int, Value]:
        (gradient,) = gradients
        assert gradient is not None
        gradient = through_activation(operation, gradient, backward)
        window = {key: operation.attributes[key] for key in ("kernel", "stride", "padding")}
        return {
            0: backward.emit("max_pool2d_grad", [operation.operands[0], gradient], operation.operands[0].type, **window)
        }
