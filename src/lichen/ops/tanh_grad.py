"""Gradient of the hyperbolic tangent."""

from __future__ import annotations

from lichen.ir.module import Array, Operation
from lichen.ir.operator import register
from lichen.ops.element_gradient import ElementGradient


@register
class TanhGrad(ElementGradient):
    """Result y of the tanh, gradient -> gradient * (1 - y * y). float32: within 1e-6 of the gradient."""

    kind = "tanh_grad"

    def slope(self, operation: Operation, kept: Array) -> Array:
        return 1.0 - kept * kept
