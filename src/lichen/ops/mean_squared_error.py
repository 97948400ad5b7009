"""Mean squared error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lichen.ir.gradient import Backward
from lichen.ir.module import Array, Operation, Value
from lichen.ir.operator import register
from lichen.ops.loss import Loss


@register
class MeanSquaredError(Loss):
    """Prediction, target -> mean of (prediction - target)^2. float32: within 1e-5 relative."""

    kind = "mean_squared_error"

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        prediction, target = (x.astype(np.float64) for x in operands)
        with np.errstate(all="ignore"):
            loss = np.square(prediction - target).mean()
            return (np.full(operation.results[0].type.shape, loss, np.float64).astype(np.float32),)

    def gradient(
        self, operation: Operation, gradients: Sequence[Value | None], backward: Backward
    ) -> Mapping[int, Value]:
        prediction, target = operation.operands
        count = prediction.type.elements
        found = backward.emit("difference", [prediction, target], prediction.type, factor=2.0 / count, sign=False)
        return {0: found}
