"""Detection of drift: the two-sided Page-Hinkley test."""

from __future__ import annotations

import math

import numpy as np

from lichen.ir.kernel import Core, KernelCall, Operand, Result
from lichen.ir.module import Array, Operation
from lichen.ir.operator import Operator, register, require
from lichen.ir.types import DType
from lichen.ops.fixed_point import INT32_MAX
from lichen.ops.params import in_arena, int32_params
from lichen.ops.running import LARGEST_SAMPLE, add, next_weight
from lichen.ops.unquantised import check_plain


@register
class PageHinkley(Operator):
    """x (…) float32, $count (…) int32, $sums (6, …) float32 -> (…) int32: 1 where the mean of a feature has risen or fallen, else 0.

    Page, "Continuous inspection schemes", Biometrika 41, 1954; parameters and arithmetic as in `river.drift.PageHinkley`. Each element
    is watched by itself. Deviations from the running mean, less `delta`, add up and fade by `alpha` a sample; drift is where a sum
    has gone further than `threshold` (in the unit of x) from its lowest or highest value, once there are `min_instances` samples. Then
    the test of that element begins anew. An element that is not a number, or beyond 1e15, is not counted.

    `sums`: the mean, what rounding kept out of it, the rising sum, its lowest value, the falling sum, its highest value. Sums are
    within 1e-6 of the reference relative to the magnitudes added up.
    """

    kind = "page_hinkley"
    operands = (3, 3)
    updates = frozenset({1, 2})
    attributes = {"min_instances": int, "delta": float, "threshold": float, "alpha": float}

    def check(self, operation: Operation) -> None:
        x, count, sums = operation.operands
        shape = x.type.shape
        check_plain(x, "input", DType.FLOAT32)
        check_plain(count, "count", DType.INT32, shape)
        check_plain(sums, "state of the sums", DType.FLOAT32, (6, *shape))
        check_plain(operation.results[0], "result", DType.INT32, shape)
        check_min_instances(operation)
        delta, threshold, alpha = _settings(operation)
        require(0.0 <= delta < math.inf, f"delta is {delta}, but must be a number that is not negative")
        require(0.0 < threshold < math.inf, f"threshold is {threshold}, but must be a positive number")
        require(
            0.0 <= alpha <= 1.0,
            f"alpha is {alpha}, but must be from 0 (every sum is forgotten at once) to 1 (none ever is)",
        )

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        x, count, sums = operands
        delta, threshold, alpha = _settings(operation)
        mean, lost, rise, lowest, fall, highest = sums
        with np.errstate(invalid="ignore", over="ignore"):
            usable = np.abs(x) <= LARGEST_SAMPLE
            samples, weight = next_weight(count, 0.0)
            mean, lost = add(mean, lost, weight * (x - mean))
            deviation = x - mean
            rise = alpha * rise + deviation - delta
            fall = alpha * fall + deviation + delta
            lowest = np.where(samples == 1, rise, np.minimum(lowest, rise))
            highest = np.where(samples == 1, fall, np.maximum(highest, fall))
            moved = (rise - lowest > threshold) | (highest - fall > threshold)
        drift = usable & (samples >= operation.int_attribute("min_instances")) & moved
        observed = np.stack([mean, lost, rise, lowest, fall, highest])
        return (
            drift.astype(np.int32),
            np.where(drift, 0, np.where(usable, samples, count)).astype(np.int32),
            np.where(drift, 0, np.where(usable, observed, sums)).astype(np.float32),
        )

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        elements = operation.operands[0].type.elements
        params = int32_params(
            operation, features=elements, min_instances=operation.int_attribute("min_instances")
        ) | dict(zip(("delta", "threshold", "alpha"), _settings(operation), strict=True))
        return KernelCall("page_hinkley_f32", params, (in_arena(operation, 0), Operand(1), Operand(2), Result(0)))


def check_min_instances(operation: Operation) -> None:
    """Raises `VerifyError` unless the attribute `min_instances` is a number of samples."""
    least = operation.int_attribute("min_instances")
    require(1 <= least <= INT32_MAX, f"min_instances is {least}, but must be at least 1 and fit 32 bits")


def _settings(operation: Operation) -> tuple[float, float, float]:
    """delta, threshold and alpha, rounded as the kernel has them."""
    with np.errstate(over="ignore"):
        delta, threshold, alpha = (
            float(np.float32(operation.float_attribute(key))) for key in ("delta", "threshold", "alpha")
        )
    return delta, threshold, alpha
