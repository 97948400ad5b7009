"""What losses of the difference between prediction and target share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from lichen.ir.gradient import Backward
from lichen.ir.module import Array, Operation, Value
from lichen.ops.loss import Loss


class RegressionLoss(Loss):
    """The mean over the elements of a penalty on `prediction - target`."""

    slope: ClassVar[float]
    """Derivative of the penalty: `slope` times the difference, or times its sign if `slope_of_sign`."""
    slope_of_sign: ClassVar[bool]

    @abstractmethod
    def penalty(self, difference: Array) -> Array:
        """The penalty of each element, float64."""

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        prediction, target = (x.astype(np.float64) for x in operands)
        with np.errstate(all="ignore"):
            loss = self.penalty(prediction - target).mean()
            return (np.full(operation.results[0].type.shape, loss, np.float64).astype(np.float32),)

    def gradient(
        self, operation: Operation, gradients: Sequence[Value | None], backward: Backward
    ) -> Mapping[int, Value]:
        prediction, target = operation.operands
        factor = self.slope / prediction.type.elements
        operands, sign = [prediction, target], self.slope_of_sign
        return {0: backward.emit("difference", operands, prediction.type, factor=factor, sign=sign)}
