"""Mean absolute error."""

from __future__ import annotations

import numpy as np

from lichen.ir.module import Array
from lichen.ir.operator import register
from lichen.ops.regression_loss import RegressionLoss


@register
class MeanAbsoluteError(RegressionLoss):
    """Prediction, target -> mean of |prediction - target|. float32: within 1e-5 relative."""

    kind = "mean_absolute_error"
    slope = 1.0
    slope_of_sign = True

    def penalty(self, difference: Array) -> Array:
        penalties: Array = np.abs(difference)
        return penalties
