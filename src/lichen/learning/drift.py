"""Drift: when the world is no longer that of the training, and whether to learn."""

from __future__ import annotations

import numpy as np

from lichen.ir.module import Function, Value
from lichen.ir.types import DType, TensorType
from lichen.learning.append import compute, state


class DriftDetector:
    """A two-sided Page-Hinkley test of each element of a float32 tensor of `shape`: a loss, or features.

    `threshold` and `delta` are in the unit of the tensor; the defaults are river's. See the operator `page_hinkley`.
    """

    def __init__(
        self,
        name: str,
        shape: tuple[int, ...],
        min_instances: int = 30,
        delta: float = 0.005,
        threshold: float = 50.0,
        alpha: float = 0.9999,
    ) -> None:
        self.name = name
        self.min_instances, self.delta, self.threshold, self.alpha = min_instances, delta, threshold, alpha
        self.count = state(f"{name}_count", np.zeros(shape, np.int32))
        self.sums = state(f"{name}_sums", np.zeros((6, *shape), np.float32))

    def watch(self, function: Function, x: Value) -> Value:
        """One flag for each element: 1 where it has drifted at this sample."""
        (flags,) = compute(
            function,
            "page_hinkley",
            (x, self.count, self.sums),
            {self.name: TensorType(x.type.shape, DType.INT32)},
            min_instances=self.min_instances,
            delta=self.delta,
            threshold=self.threshold,
            alpha=self.alpha,
        )
        return flags


class LearningGate:
    """Learn until the running mean of the loss is `good_enough`, wake when it drifts. See the operator `learning_gate`."""

    def __init__(self, name: str, good_enough: float, min_instances: int = 30, forgetting: float = 0.01) -> None:
        self.name = name
        self.good_enough, self.min_instances, self.forgetting = good_enough, min_instances, forgetting
        self.count = state(f"{name}_count", np.zeros(1, np.int32))
        self.mean = state(f"{name}_mean", np.zeros(2, np.float32))
        self.asleep = state(f"{name}_asleep", np.zeros(1, np.int32))

    def decide(self, function: Function, loss: Value, drift: Value) -> tuple[Value, Value]:
        """1 where this sample is to be learned from, else 0, and the loss to learn from, which is then not a number."""
        enabled, lesson = compute(
            function,
            "learning_gate",
            (loss, drift, self.count, self.mean, self.asleep),
            {self.name: TensorType((1,), DType.INT32), f"{self.name}_lesson": TensorType((1,), DType.FLOAT32)},
            min_instances=self.min_instances,
            good_enough=self.good_enough,
            forgetting=self.forgetting,
        )
        return enabled, lesson
