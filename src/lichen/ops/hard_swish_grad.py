"""Gradient of hard swish."""

from __future__ import annotations

import numpy as np

from lichen.ir.module import Array, Operation
from lichen.ir.operator import register
from lichen.ops.element_gradient import ElementGradient


@register
class HardSwishGrad(ElementGradient):
    """Operand x of the hard swish, gradient -> gradient * (0, (2 x + 3) / 6 or 1). float32: within 1e-6 of the gradient."""

    kind = "hard_swish_grad"

    def slope(self, operation: Operation, kept: Array) -> Array:
        return np.where(kept < -3, 0.0, np.where(kept <= 3, (2 * kept + 3) / 6, 1.0))
