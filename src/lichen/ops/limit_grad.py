"""Gradient of activations that limit their operand to a range."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lichen.ir.module import Array, Operation
from lichen.ir.operator import register, require
from lichen.ops.element_gradient import ElementGradient
from lichen.ops.fixed_point import ACTIVATIONS


@register
class LimitGrad(ElementGradient):
    """Result y of a relu, relu6 or the like, gradient -> gradient where y lies inside the range, 0 at its ends. float32: exact."""

    kind = "limit_grad"
    attributes = {"activation": str}

    def check(self, operation: Operation) -> None:
        super().check(operation)
        activation = operation.str_attribute("activation")
        require(activation in ACTIVATIONS, f"activation '{activation}' is not one of {', '.join(ACTIVATIONS)}")

    def slope(self, operation: Operation, kept: Array) -> Array:
        low, high = ACTIVATIONS[operation.str_attribute("activation")]
        return ((kept > low) & (kept < high)).astype(np.float64)

    def params(self, operation: Operation) -> Mapping[str, float]:
        low, high = ACTIVATIONS[operation.str_attribute("activation")]
        return {"low": low, "high": high}
