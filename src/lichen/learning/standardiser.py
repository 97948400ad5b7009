"""Running mean and variance of a tensor, kept on the device."""

from __future__ import annotations

import numpy as np

from lichen.ir.module import Function, Value
from lichen.learning.append import compute, state


class Standardiser:
    """The statistics of every element of a float32 tensor of `shape`; the functions of a module share them.

    `forgetting` is the least weight of the newest sample: 0 for a plain mean, 0.001 for about the last thousand samples.
    """

    def __init__(self, name: str, shape: tuple[int, ...], forgetting: float = 0.0) -> None:
        self.name = name
        self.forgetting = forgetting
        self.count = state(f"{name}_count", np.zeros(1, np.int32))
        self.mean = state(f"{name}_mean", np.zeros(shape, np.float32))
        self.variance = state(f"{name}_variance", np.zeros(shape, np.float32))
        self.lost = state(f"{name}_lost", np.zeros((2, *shape), np.float32))

    def learn(self, function: Function, x: Value) -> Value:
        """x is taken into the statistics; the result is x, standardised by them."""
        operands = (x, self.count, self.mean, self.variance, self.lost)
        return compute(function, "standardise", operands, {self.name: x.type}, forgetting=self.forgetting)[0]

    def apply(self, function: Function, x: Value) -> Value:
        """x, standardised by the statistics, which stay as they are."""
        return compute(function, "standard_score", (x, self.mean, self.variance), {self.name: x.type})[0]
