"""Prequential error of a regression: running means of the squared and of the absolute error."""

from __future__ import annotations

import numpy as np

from lichen.ir.kernel import Core, KernelCall, Operand
from lichen.ir.module import Array, Operation
from lichen.ir.operator import Operator, register
from lichen.ir.types import DType
from lichen.ops.params import in_arena, int32_params
from lichen.ops.running import add, are_samples, check_forgetting, next_weight
from lichen.ops.unquantised import check_plain


@register
class TrackError(Operator):
    """$errors (2, 2), $count (1) int32, prediction, target of one shape -> nothing; float32.

    `errors[0, 0]` is the mean squared error of the samples so far and `errors[1, 0]` the mean absolute error, each the mean over the
    elements of a sample; `errors[:, 1]` is what rounding kept out of them. `forgetting` as in `standardise`. A sample that is not a
    number, or beyond 1e15, is not counted. Within 1e-6 relative.
    """

    kind = "track_error"
    operands = (4, 4)
    results = 0
    updates = frozenset({0, 1})
    attributes = {"forgetting": float}

    def check(self, operation: Operation) -> None:
        errors, count, prediction, target = operation.operands
        check_plain(errors, "state of the errors", DType.FLOAT32, (2, 2))
        check_plain(count, "count", DType.INT32, (1,))
        check_plain(prediction, "prediction", DType.FLOAT32)
        check_plain(target, "target", DType.FLOAT32, prediction.type.shape)
        check_forgetting(operation)

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        errors, count, prediction, target = operands
        if not are_samples(prediction, target):
            return errors, count
        difference = (prediction - target).ravel()
        sums = [
            np.cumsum(terms)[-1] for terms in (difference * difference, np.abs(difference))
        ]  # in the kernel's order
        count, weight = next_weight(count, operation.float_attribute("forgetting"))
        means, lost = errors[:, 0], errors[:, 1]
        return np.stack(
            add(means, lost, weight * (np.array(sums) / np.float32(difference.size) - means)), axis=1
        ), count

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        params = int32_params(operation, values=operation.operands[2].type.elements)
        params["forgetting"] = float(np.float32(operation.float_attribute("forgetting")))
        samples = (in_arena(operation, 2), in_arena(operation, 3))
        return KernelCall("track_error_f32", params, (Operand(0), Operand(1), *samples))
