"""The gate of learning: learn until good enough, wake when it drifts."""

from __future__ import annotations

import math

import numpy as np

from lichen.ir.kernel import Core, KernelCall, Operand, Result
from lichen.ir.module import Array, Operation
from lichen.ir.operator import Operator, register, require
from lichen.ir.types import DType
from lichen.ops.page_hinkley import check_min_instances
from lichen.ops.params import in_arena, int32_params
from lichen.ops.running import add, are_samples, check_forgetting, next_weight
from lichen.ops.unquantised import check_one, check_plain


@register
class LearningGate(Operator):
    """loss (one float32), drift (…) int32, $count (1) int32, $mean (2) float32, $asleep (1) int32 -> enabled (1) int32, lesson (1).

    `enabled` is 1 to learn, 0 not to; `lesson` is the loss where it is 1, else not a number, from which gradient descent learns nothing.
    Learning stops once the running mean of the loss, over at least `min_instances` samples, is `good_enough` or less. Asleep, it starts
    again at the first sample with a flag of drift, and the mean begins anew. `mean` is the running mean and what rounding kept out of
    it, `forgetting` as in `standardise`: without it the mean is that of all samples since the start. A loss that is not a number, or
    beyond 1e15, is not counted. The mean is within 1e-6 relative.
    """

    kind = "learning_gate"
    operands = (5, 5)
    results = 2
    updates = frozenset({2, 3, 4})
    attributes = {"min_instances": int, "good_enough": float, "forgetting": float}

    def check(self, operation: Operation) -> None:
        loss, drift, count, mean, asleep = operation.operands
        check_one(loss, "loss", DType.FLOAT32)
        check_plain(drift, "flags of drift", DType.INT32)
        check_plain(count, "count", DType.INT32, (1,))
        check_plain(mean, "mean", DType.FLOAT32, (2,))
        check_plain(asleep, "state of sleep", DType.INT32, (1,))
        check_plain(operation.results[0], "first result", DType.INT32, (1,))
        check_plain(operation.results[1], "second result", DType.FLOAT32, (1,))
        check_min_instances(operation)
        require(
            math.isfinite(_good_enough(operation)),
            f"good_enough is {operation.float_attribute('good_enough')}, but must be a number",
        )
        check_forgetting(operation)

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        loss, drift, count, mean, asleep = operands
        if are_samples(loss):
            count, weight = next_weight(count, operation.float_attribute("forgetting"))
            mean = np.concatenate(add(mean[:1], mean[1:], weight * (loss.ravel() - mean[:1])))
        if (
            not asleep[0]
            and count[0] >= operation.int_attribute("min_instances")
            and mean[0] <= _good_enough(operation)
        ):
            asleep = np.ones_like(asleep)
        if asleep[0] and drift.any():
            count, mean, asleep = np.zeros_like(count), np.zeros_like(mean), np.zeros_like(asleep)
        enabled = asleep == 0
        lesson = np.where(enabled, loss.ravel(), np.float32(np.nan))
        return enabled.astype(np.int32), lesson, count, mean, asleep

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        params = int32_params(
            operation,
            detectors=operation.operands[1].type.elements,
            min_instances=operation.int_attribute("min_instances"),
        )
        params["good_enough"] = float(_good_enough(operation))
        params["forgetting"] = float(np.float32(operation.float_attribute("forgetting")))
        signals = (in_arena(operation, 0), in_arena(operation, 1))
        state = [Operand(index) for index in sorted(self.updates)]
        return KernelCall("learning_gate_f32", params, (*signals, *state, Result(0), Result(1)))


def _good_enough(operation: Operation) -> np.float32:
    with np.errstate(over="ignore"):
        return np.float32(operation.float_attribute("good_enough"))
