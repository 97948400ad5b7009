"""The gradient of fused activations."""

from __future__ import annotations

from lichen.ir.gradient import Backward
from lichen.ir.module import Operation, Value


def through_activation(operation: Operation, gradient: Value, backward: Backward) -> Value:
    """The gradient with respect to what goes into the fused activation of `operation`."""
    activation, result = operation.str_attribute("activation"), operation.results[0]
    if activation == "none":
        return gradient
    return backward.emit("limit_grad", [result, gradient], result.type, activation=activation)
