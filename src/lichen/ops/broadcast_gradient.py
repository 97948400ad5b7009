"""Gradients of operands that may be broadcast."""

from __future__ import annotations

from lichen.ir.gradient import Backward
from lichen.ir.module import Value


def summed(gradient: Value, operand: Value, backward: Backward, factor: float = 1.0) -> Value:
    """`factor` times the gradient with respect to the result, summed over what `operand` is broadcast to."""
    if gradient.type.shape == operand.type.shape and factor == 1.0:
        return gradient
    return backward.emit("sum_to", [gradient], operand.type, factor=factor)
