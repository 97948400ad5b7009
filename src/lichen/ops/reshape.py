"""Reshape: the same elements in the same order under another shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lichen.ir.gradient import Backward
from lichen.ir.module import Array, Operation, Value
from lichen.ir.operator import Operator, register, require
from lichen.ops.shapes import check_copied_type


@register
class Reshape(Operator):
    """x -> as many elements of the same type; no code, no copy."""

    kind = "reshape"
    operands = (1, 1)
    is_view = True

    def check(self, operation: Operation) -> None:
        x, result = operation.operands[0].type, operation.results[0].type
        check_copied_type(x, result)
        require(
            x.elements == result.elements,
            f"{list(x.shape)} has {x.elements} elements, {list(result.shape)} has {result.elements}",
        )

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        return (operands[0].reshape(operation.results[0].type.shape),)

    def gradient(
        self, operation: Operation, gradients: Sequence[Value | None], backward: Backward
    ) -> Mapping[int, Value]:
        (gradient,) = gradients
        assert gradient is not None
        return {0: backward.emit("reshape", [gradient], operation.operands[0].type)}
