"""Gradients of operators that map each element by itself."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

import numpy as np

from lichen.ir.accesses import Accesses, elementwise
from lichen.ir.gradient import Backward
from lichen.ir.kernel import Core, KernelCall, Result
from lichen.ir.module import Array, Attribute, Operation, Value
from lichen.ir.operator import Operator, require
from lichen.ops.parameter_update import check_float
from lichen.ops.params import in_arena, int32_params


class ElementGradient(Operator):
    """What was kept of the forward pass, gradient of the result -> gradient of the operand; one shape, float32.

    The kernel is `<kind>_f32(p, kept, gradient, out)`, in place over either operand.
    """

    operands = (2, 2)

    def check(self, operation: Operation) -> None:
        check_float(operation)
        shapes = {v.type.shape for v in (*operation.operands, *operation.results)}
        require(len(shapes) == 1, f"operands and result must have one shape, not {sorted(map(list, shapes))}")

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        kept, gradient = operands
        slope = self.slope(operation, kept.astype(np.float64))
        return ((slope * gradient).astype(np.float32),)

    def accesses(self, operation: Operation) -> Accesses:
        return elementwise(operation.results[0].type.elements, {0: 4, 1: 4}, 4)

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        params = int32_params(operation, count=operation.results[0].type.elements)
        params.update(self.params(operation))
        arguments = in_arena(operation, 0), in_arena(operation, 1), Result(0)
        return KernelCall(f"{self.kind}_f32", params, arguments)

    @abstractmethod
    def slope(self, operation: Operation, kept: Array) -> Array:
        """The derivative of the forward operator, from what was kept (double)."""

    def params(self, operation: Operation) -> Mapping[str, float]:
        """What the kernel's params hold behind the count."""
        return {}


def element_gradient(
    operation: Operation,
    gradient: Value | None,
    backward: Backward,
    kind: str,
    kept: Value,
    **attributes: Attribute,
) -> dict[int, Value]:
    """The gradient rule of an operator of one operand: operator `kind` of what is kept, an operand or result, and the gradient."""
    assert gradient is not None
    return {0: backward.emit(kind, [kept, gradient], operation.operands[0].type, **attributes)}
