"""Binary cross-entropy of logits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lichen.ir.accesses import Accesses
from lichen.ir.gradient import Backward
from lichen.ir.kernel import Core, KernelCall, Result
from lichen.ir.module import Array, Operation, Value
from lichen.ir.operator import register, require
from lichen.ops.loss import Loss
from lichen.ops.params import in_arena, int32_params


@register
class SigmoidCrossEntropy(Loss):
    """Logits, targets in [0, 1] of their shape -> loss (1), the mean over the elements, and the probabilities of that shape.

    float32: the loss within 1e-5 of the largest logit or 1, the probabilities within 1e-6.
    """

    kind = "sigmoid_cross_entropy"
    results = 2

    def check(self, operation: Operation) -> None:
        super().check(operation)
        logits, probabilities = operation.operands[0].type, operation.results[1].type
        require(logits.shape == probabilities.shape, f"the probabilities must be {list(logits.shape)} like the logits")

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        z, target = (x.astype(np.float64) for x in operands)
        with np.errstate(all="ignore"):
            loss = (np.maximum(z, 0) - z * target + np.log1p(np.exp(-np.abs(z)))).mean()
            probabilities = 1 / (1 + np.exp(-z))
        shape = operation.results[0].type.shape
        return np.full(shape, loss).astype(np.float32), probabilities.astype(np.float32)

    def accesses(self, operation: Operation) -> Accesses:
        """Element by element; the loss is written when all has been read."""
        loss = super().accesses(operation)
        return Accesses(loss.reads, {0: loss.writes[0], 1: loss.reads[0]}, atomic=True)

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        params = int32_params(operation, count=operation.operands[0].type.elements)
        arguments = in_arena(operation, 0), in_arena(operation, 1), Result(0), Result(1)
        return KernelCall("sigmoid_cross_entropy_f32", params, arguments)

    def gradient(
        self, operation: Operation, gradients: Sequence[Value | None], backward: Backward
    ) -> Mapping[int, Value]:
        logits, target = operation.operands
        factor = 1.0 / logits.type.elements
        return {0: backward.emit("difference", [operation.results[1], target], logits.type, factor=factor, sign=False)}
