"""Gradient of the logistic function."""

from __future__ import annotations

from lichen.ir.module import Array, Operation
from lichen.ir.operator import register
from lichen.ops.element_gradient import ElementGradient


@register
class LogisticGrad(ElementGradient):
    """Result y of the logistic, gradient -> gradient * y * (1 - y). float32: within 1e-6 of the gradient."""

    kind = "logistic_grad"

    def slope(self, operation: Operation, kept: Array) -> Array:
        return kept * (1.0 - kept)
