"""Leaky rectified linear unit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from lichen.ir.gradient import Backward
from lichen.ir.kernel import KernelCall
from lichen.ir.module import Array, Operation, Value
from lichen.ir.operator import register, require
from lichen.ops.element_gradient import element_gradient
from lichen.ops.fixed_point import INT8_MAX, INT8_MIN, Int64Array, Multiplier, multiply, quantize_multiplier
from lichen.ops.lookup import ElementMap, unary_call


@register
class LeakyRelu(ElementMap):
    """x -> x where positive, else alpha * x; alpha is any finite number.

    int8: same bytes as TensorFlow Lite Micro. float32: exact.
    """

    kind = "leaky_relu"
    attributes = {"alpha": float}

    def check(self, operation: Operation) -> None:
        alpha = operation.float_attribute("alpha")
        require(abs(alpha) <= float(np.finfo(np.float32).max), f"alpha is {alpha}, not a number that float32 can hold")
        super().check(operation)

    def map_int8(self, operation: Operation, stored: Int64Array) -> Int64Array:
        x, result = operation.operands[0].type, operation.results[0].type
        # The reference multiplies and divides scales in float32.
        in_scale, out_scale = np.float32(x.scale), np.float32(result.scale)
        with np.errstate(over="ignore"):
            identity = _multiplier(float(in_scale / out_scale))
            slope = _multiplier(float(in_scale * _alpha(operation) / out_scale))
        value = stored - x.zero_point
        positive, negative = (multiply(value, m.mantissa, m.shift) for m in (identity, slope))
        sloped: Int64Array = np.where(value >= 0, positive, negative) + result.zero_point
        return np.clip(sloped, INT8_MIN, INT8_MAX)

    def map_float(self, operation: Operation, x: Array) -> Array:
        return np.where(x > 0, x, x * _alpha(operation))

    def lower_float(self, operation: Operation) -> KernelCall:
        return unary_call(operation, "leaky_relu_f32", alpha=float(_alpha(operation)))

    def gradient(
        self, operation: Operation, gradients: Sequence[Value | None], backward: Backward
    ) -> Mapping[int, Value]:
        return element_gradient(
            operation, gradients[0], backward, "leaky_relu_grad", operation.operands[0], alpha=float(_alpha(operation))
        )


def _alpha(operation: Operation) -> np.float32:
    return np.float32(operation.float_attribute("alpha"))


def _multiplier(real: float) -> Multiplier:
    """A multiplier that may be negative."""
    require(math.isfinite(real), "the scales of input and result are too far apart")
    magnitude = quantize_multiplier(abs(real))
    return Multiplier(-magnitude.mantissa, magnitude.shift) if real < 0 else magnitude
