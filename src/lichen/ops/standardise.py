"""Running standardisation: each sample is taken into the statistics and then scored by them."""

from __future__ import annotations

import numpy as np

from lichen.ir.accesses import Accesses
from lichen.ir.kernel import Core, KernelCall, Operand, Result
from lichen.ir.module import Array, Operation
from lichen.ir.operator import Operator, register
from lichen.ir.types import DType
from lichen.ops.params import in_arena, int32_params
from lichen.ops.running import add, are_samples, check_forgetting, next_weight
from lichen.ops.standard_score import score
from lichen.ops.unquantised import check_plain


@register
class Standardise(Operator):
    """x (…), $count (1) int32, $mean (…), $variance (…), $lost (2, …) -> `(x - mean) / sqrt(variance)`, the same shape; float32.

    Every element is a feature with a mean and a (population) variance of its own. With `forgetting` 0 they are those of all samples
    so far, by Welford's recurrence (Technometrics 4, 1962); otherwise the newest sample weighs at least as much as `forgetting`, and
    older ones fade (Finch, "Incremental calculation of weighted mean and variance", 2009). `lost` is what rounding kept out of mean
    and variance, so that they stay true over 2**31 samples, where the count stops.

    The result is 0 where the variance is: at the first sample, and for a feature that never changed. After n samples without
    forgetting it lies within sqrt(n - 1) of 0. A sample with an element that is not a number, or beyond 1e15, leaves the statistics as
    they are. Within 1e-6 relative of the reference, statistics included.
    """

    kind = "standardise"
    operands = (5, 5)
    updates = frozenset({1, 2, 3, 4})
    attributes = {"forgetting": float}

    def check(self, operation: Operation) -> None:
        x, count, mean, variance, lost = operation.operands
        shape = x.type.shape
        check_plain(x, "input", DType.FLOAT32)
        check_plain(count, "count", DType.INT32, (1,))
        check_plain(mean, "mean", DType.FLOAT32, shape)
        check_plain(variance, "variance", DType.FLOAT32, shape)
        check_plain(lost, "lost", DType.FLOAT32, (2, *shape))
        check_plain(operation.results[0], "result", DType.FLOAT32, shape)
        check_forgetting(operation)

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        x, count, mean, variance, lost = operands
        if are_samples(x):
            count, weight = next_weight(count, operation.float_attribute("forgetting"))
            deviation = x - mean
            mean, lost_mean = add(mean, lost[0], weight * deviation)
            square = (np.float32(1) - weight) * (deviation * deviation)
            variance, lost_variance = add(variance, lost[1], weight * (square - variance))
            lost = np.stack([lost_mean, lost_variance])
        return score(x, mean, variance), count, mean, variance, lost

    def accesses(self, operation: Operation) -> Accesses:
        """One access that reads the whole sample, then one access a feature."""
        elements = operation.operands[0].type.elements
        edges = np.arange(elements + 1, dtype=np.int64) * 4
        features = np.stack([edges[:-1], edges[1:]], axis=1)
        return Accesses(
            {0: np.concatenate([[[0, 4 * elements]], features])},
            {0: np.concatenate([[[0, 0]], features])},
            atomic=True,
        )

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        params = int32_params(operation, features=operation.operands[0].type.elements)
        params["forgetting"] = float(np.float32(operation.float_attribute("forgetting")))
        state = [Operand(index) for index in sorted(self.updates)]
        return KernelCall("standardise_f32", params, (in_arena(operation, 0), *state, Result(0)))
