"""The class that a classifier predicts."""

from __future__ import annotations

import numpy as np

from lichen.ir.kernel import Core, KernelCall, Result
from lichen.ir.module import Array, Operation
from lichen.ir.operator import Operator, register
from lichen.ir.types import DType
from lichen.ops.class_map import NO_SCORE, NONE
from lichen.ops.params import in_arena, int16_params
from lichen.ops.unquantised import check_plain


@register
class BestClass(Operator):
    """scores (…) float32, logits as well as probabilities -> (1) int32: the index of the first of the largest.

    -1 where there is nothing to predict: every score is that of a class masked by `mask_classes`, or not a number.
    """

    kind = "best_class"
    operands = (1, 1)

    def check(self, operation: Operation) -> None:
        check_plain(operation.operands[0], "scores", DType.FLOAT32)
        check_plain(operation.results[0], "result", DType.INT32, (1,))

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        scores = operands[0].ravel()
        scores = np.where(scores > np.float32(NO_SCORE), scores, -np.inf)
        best = int(np.argmax(scores))
        return (np.array([best if scores[best] > -np.inf else NONE], np.int32),)

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        params = int16_params(operation, classes=operation.operands[0].type.elements)
        params["no_score"] = float(np.float32(NO_SCORE))
        return KernelCall("best_class_f32", params, (in_arena(operation, 0), Result(0)))
