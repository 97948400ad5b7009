"""Gradient of the softmax cross-entropy with respect to the logits."""

from __future__ import annotations

import numpy as np

from lichen.ir.accesses import Accesses
from lichen.ir.kernel import Core, KernelCall, Result
from lichen.ir.module import Array, Operation
from lichen.ir.operator import Operator, register, require
from lichen.ops.parameter_update import check_float
from lichen.ops.params import in_arena, int32_params
from lichen.ops.softmax_cross_entropy import check_label


@register
class SoftmaxCrossEntropyGrad(Operator):
    """Probabilities, label (1) int32 -> probabilities, less 1 at the label, in their shape. float32: exact.

    This is the true gradient. Equation 5 of Ren, Anicic and Runkler (TinyOL, arXiv 2103.08295) states a cross-entropy loss but the
    derivative of another one.
    """

    kind = "softmax_cross_entropy_grad"
    operands = (2, 2)

    def check(self, operation: Operation) -> None:
        probabilities, label = operation.operands
        check_float(Operation(self.kind, [probabilities], operation.results))
        check_label(label)
        shape = probabilities.type.shape
        require(operation.results[0].type.shape == shape, f"the result must be {list(shape)} like the probabilities")

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        gradient, label = operands[0].copy(), int(operands[1].ravel()[0])
        if 0 <= label < gradient.size:
            gradient.ravel()[label] -= 1
        return (gradient,)

    def accesses(self, operation: Operation) -> Accesses:
        """Element by element; the label is read first."""
        count = operation.results[0].type.elements
        edges = np.arange(count + 1, dtype=np.int64) * 4
        elements, label = np.stack([edges[:-1], edges[1:]], axis=1), np.zeros((count, 2), np.int64)
        label[0] = 0, 4
        return Accesses({0: elements, 1: label}, {0: elements}, atomic=True)

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        params = int32_params(operation, count=operation.results[0].type.elements)
        arguments = in_arena(operation, 0), in_arena(operation, 1), Result(0)
        return KernelCall("softmax_cross_entropy_grad_f32", params, arguments)
