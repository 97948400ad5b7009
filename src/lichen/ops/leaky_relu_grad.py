"""Gradient of the leaky rectified linear unit."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lichen.ir.module import Array, Operation
from lichen.ir.operator import register, require
from lichen.ops.element_gradient import ElementGradient


@register
class LeakyReluGrad(ElementGradient):
    """Operand x of the leaky relu, gradient -> gradient where x is positive, else alpha * gradient. float32: exact."""

    kind = "leaky_relu_grad"
    attributes = {"alpha": float}

    def check(self, operation: Operation) -> None:
        super().check(operation)
        alpha = operation.float_attribute("alpha")
        require(abs(alpha) <= float(np.finfo(np.float32).max), f"alpha is {alpha}, not a number that float32 can hold")

    def slope(self, operation: Operation, kept: Array) -> Array:
        return np.where(kept > 0, 1.0, np.float32(operation.float_attribute("alpha")))

    def params(self, operation: Operation) -> Mapping[str, float]:
        return {"alpha": float(np.float32(operation.float_attribute("alpha")))}
