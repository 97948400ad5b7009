"""Average pooling, NHWC, with a fused activation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lichen.ir.gradient import Backward
from lichen.ir.module import Array, Operation, Value
from lichen.ir.operator import register
from lichen.ops.activation import through_activation
from lichen.ops.fixed_point import activation_range, clamp_float, to_int8
from lichen.ops.pool import Pool
from lichen.ops.window import Window


@register
class AveragePool2D(Pool):
    """The mean of each window; padding does not count.

    int8: same bytes as TensorFlow Lite Micro, halves away from zero. float32: sums in the order rows, columns, then divides; within
    1e-6 of the largest magnitude in the window.
    """

    kind = "avg_pool2d"

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        window, result = Window.over(operation), operation.results[0].type
        activation = operation.str_attribute("activation")
        count = window.inside()[:, :, None]
        summed_in = np.float64 if result.dtype.is_float else np.int64
        sums = window.patches(operands[0].astype(summed_in), 0).sum(axis=(2, 3))
        if result.dtype.is_float:
            return (clamp_float(sums / count, activation).reshape(result.shape),)
        means = np.sign(sums) * ((np.abs(sums) + count // 2) // count)
        return (to_int8(means, *activation_range(activation, result)).reshape(result.shape),)

    def gradient(
        self, operation: Operation, gradients: Sequence[Value | None], backward: Backward
    ) -> Mapping[int, Value]:
        (gradient,) = gradients
        assert gradient is not None
        gradient = through_activation(operation, gradient, backward)
        window = {key: operation.attributes[key] for key in ("kernel", "stride", "padding")}
        return {0: backward.emit("avg_pool2d_grad", [gradient], operation.operands[0].type, **window)}
