"""Cross-entropy of the softmax of logits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lichen.ir.accesses import Accesses
from lichen.ir.gradient import Backward
from lichen.ir.kernel import Core, KernelCall, Result
from lichen.ir.module import Array, Operation, Value
from lichen.ir.operator import Operator, register, require
from lichen.ir.types import DType
from lichen.ops.parameter_update import check_float
from lichen.ops.params import in_arena, int32_params


@register
class SoftmaxCrossEntropy(Operator):
    """Logits of n elements, label (1) int32 -> loss (1), probabilities in the shape of the logits.

    A label that is not a class gives a loss that is not a number. float32: the loss within 1e-5 of the largest logit or 1, the
    probabilities within 2e-6.
    """

    kind = "softmax_cross_entropy"
    operands = (2, 2)
    results = 2

    def check(self, operation: Operation) -> None:
        logits, label = operation.operands
        loss, probabilities = operation.results
        check_float(Operation(self.kind, [logits], operation.results))
        check_label(label)
        require(loss.type.elements == 1, "the loss is one number")
        require(
            logits.type.shape == probabilities.type.shape,
            f"the probabilities must be {list(logits.type.shape)} like the logits",
        )

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        z, label = operands[0].astype(np.float64), int(operands[1].ravel()[0])
        with np.errstate(all="ignore"):
            powers = np.exp(z - z.max())
            probabilities = (powers / powers.sum()).astype(np.float32)
            known = 0 <= label < z.size
            loss = np.log(powers.sum()) + z.max() - z.ravel()[label] if known else np.nan
        return np.full(operation.results[0].type.shape, loss).astype(np.float32), probabilities

    def accesses(self, operation: Operation) -> Accesses:
        """All is read for the maximum, then each logit before its probability is written; the loss comes last."""
        count = operation.operands[0].type.elements
        edges = np.arange(count + 1, dtype=np.int64) * 4
        logits, probabilities, label, loss = (np.zeros((count + 2, 2), np.int64) for _ in range(4))
        logits[0], label[0], loss[-1] = (0, count * 4), (0, 4), (0, 4)
        logits[1:-1] = probabilities[1:-1] = np.stack([edges[:-1], edges[1:]], axis=1)
        return Accesses({0: logits, 1: label}, {0: loss, 1: probabilities}, atomic=True)

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        params = int32_params(operation, count=operation.operands[0].type.elements)
        arguments = in_arena(operation, 0), in_arena(operation, 1), Result(0), Result(1)
        return KernelCall("softmax_cross_entropy_f32", params, arguments)

    def gradient(
        self, operation: Operation, gradients: Sequence[Value | None], backward: Backward
    ) -> Mapping[int, Value]:
        logits, label = operation.operands
        return {0: backward.emit("softmax_cross_entropy_grad", [operation.results[1], label], logits.type)}


def check_label(label: Value) -> None:
    """Raises `VerifyError` unless `label` is one int32."""
    require(label.type.dtype is DType.INT32 and label.type.elements == 1, f"{label.symbol} is not one i32, the label")
