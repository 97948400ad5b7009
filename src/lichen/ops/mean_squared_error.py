"""Mean squared error."""

from __future__ import annotations

import numpy as np

from lichen.ir.module import Array
from lichen.ir.operator import register
from lichen.ops.regression_loss import RegressionLoss


@register
class MeanSquaredError(RegressionLoss):
    """Prediction, target -> mean of (prediction - target)^2. float32: within 1e-5 relative."""

    kind = "mean_squared_error"
    slope = 2.0
    slope_of_sign = False

    def penalty(self, difference: Array) -> Array:
        penalties: Array = np.square(difference)
        return penalties
