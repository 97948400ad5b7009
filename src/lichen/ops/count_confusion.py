"""Prequential confusion matrix of a classifier."""

from __future__ import annotations

from lichen.ir.kernel import Core, KernelCall, Operand
from lichen.ir.module import Array, Operation
from lichen.ir.operator import Operator, register, require
from lichen.ir.types import DType
from lichen.ops.fixed_point import INT32_MAX
from lichen.ops.params import in_arena, int16_params
from lichen.ops.unquantised import check_one, check_plain


@register
class CountConfusion(Operator):
    """$matrix (classes, classes) int32, actual, predicted (one int32 each) -> nothing; `matrix[actual, predicted]` goes up by one.

    Nothing is counted where either is not a class (a sample without a label, nothing to predict yet), nor beyond 2**31 - 1. To judge
    honestly it stands before the learning step, on a prediction made before: test, then train.
    """

    kind = "count_confusion"
    operands = (3, 3)
    results = 0
    updates = frozenset({0})

    def check(self, operation: Operation) -> None:
        matrix, actual, predicted = operation.operands
        check_plain(matrix, "confusion matrix", DType.INT32)
        shape = matrix.type.shape
        require(len(shape) == 2 and shape[0] == shape[1], f"a confusion matrix is square, not {list(shape)}")
        check_one(actual, "true class", DType.INT32)
        check_one(predicted, "predicted class", DType.INT32)

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        matrix = operands[0].copy()
        actual, predicted = (int(operand.ravel()[0]) for operand in operands[1:])
        if 0 <= actual < len(matrix) and 0 <= predicted < len(matrix) and matrix[actual, predicted] < INT32_MAX:
            matrix[actual, predicted] += 1
        return (matrix,)

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        params = int16_params(operation, classes=operation.operands[0].type.shape[0])
        return KernelCall("count_confusion", params, (Operand(0), in_arena(operation, 1), in_arena(operation, 2)))
