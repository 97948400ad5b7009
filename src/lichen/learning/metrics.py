"""Prequential metrics: counted on the device before each learning step, worked out on the host."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lichen.ir.module import Array, Function, Value
from lichen.learning.append import compute, state


class ConfusionMatrix:
    """Counts of true class (rows) and predicted class (columns), on the device."""

    def __init__(self, name: str, classes: int) -> None:
        self.matrix = state(name, np.zeros((classes, classes), np.int32))

    def count(self, function: Function, actual: Value, predicted: Value) -> None:
        """Counts one sample, unless either is no class."""
        compute(function, "count_confusion", (self.matrix, actual, predicted), {})


class ErrorMeans:
    """Running means of the squared and the absolute error, on the device; `forgetting` as in `Standardiser`."""

    def __init__(self, name: str, forgetting: float = 0.0) -> None:
        self.forgetting = forgetting
        self.errors = state(name, np.zeros((2, 2), np.float32))
        self.samples = state(f"{name}_count", np.zeros(1, np.int32))

    def track(self, function: Function, prediction: Value, target: Value) -> None:
        """Takes in the errors of one sample."""
        operands = (self.errors, self.samples, prediction, target)
        compute(function, "track_error", operands, {}, forgetting=self.forgetting)


def accuracy(matrix: Array) -> float:
    """The share of predictions that were right, of a confusion matrix (classes, classes); NaN where nothing was counted."""
    total = matrix.sum(dtype=np.int64)
    return float(np.trace(matrix, dtype=np.int64) / total) if total else float("nan")


def f1_scores(matrix: Array) -> NDArray[np.float64]:
    """The harmonic mean of precision and recall of each class, shape (classes,); NaN for a class neither seen nor predicted."""
    wide = matrix.astype(np.float64)
    touched = wide.sum(axis=0) + wide.sum(axis=1)
    with np.errstate(invalid="ignore"):
        scores: NDArray[np.float64] = 2 * np.diag(wide) / touched
    return scores


def macro_f1(matrix: Array) -> float:
    """The mean of the F1 scores of all classes seen or predicted, each class weighing the same; NaN where nothing was counted."""
    scores = f1_scores(matrix)
    known = scores[~np.isnan(scores)]
    return float(known.mean()) if known.size else float("nan")


@dataclass(frozen=True)
class RegressionErrors:
    """Errors of a regression, in the unit of its target (`mse` in the square of it)."""

    mse: float
    rmse: float
    mae: float

    @staticmethod
    def of(errors: Array) -> RegressionErrors:
        """From the state of an `ErrorMeans` (2, 2)."""
        mse, mae = (float(mean) for mean in errors.astype(np.float64).sum(axis=1))
        return RegressionErrors(mse, float(np.sqrt(max(mse, 0.0))), mae)


@dataclass(frozen=True)
class Metrics:
    """How an online layer does, by predictions made before each sample was learned from.

    A classifier has `accuracy`, `macro_f1`, the `labels` it knows and the `confusion` matrix of their neurons (true class by
    predicted class), a regression has `errors`; what is not there is `None`. `awake` says whether it is learning.
    """

    accuracy: float | None = None
    macro_f1: float | None = None
    labels: tuple[int, ...] | None = None
    confusion: Array | None = None
    errors: RegressionErrors | None = None
    awake: bool = True
