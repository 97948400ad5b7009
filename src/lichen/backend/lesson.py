"""A lesson on the device: how it can end; twin of `runtime/lichen_lesson.h`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from lichen.errors import InputError


class LessonStatus(IntEnum):
    """How a lesson ended; `lichen_lesson_status` of `runtime/lichen_lesson.h`. From `NOT_FINITE` on it was refused."""

    OK = 0
    UNLABELLED = 1
    NOT_FINITE = 2
    NO_SUCH_CLASS = 3
    TOO_MANY_CLASSES = 4
    DIVERGED = 5


REASONS = {
    LessonStatus.NOT_FINITE: "its data or target holds a value that is not a finite number; mend the data",
    LessonStatus.NO_SUCH_CLASS: "its label is not one of the model's classes; mend the labels",
    LessonStatus.TOO_MANY_CLASSES: "its label is new and every neuron has one; compile a head with room for more classes",
    LessonStatus.DIVERGED: "its loss is not a finite number, so learning diverges; lower the learning rate",
}


@dataclass(frozen=True)
class LessonCounts:
    """Since the learning rate was set: samples taken, how many of them had a loss, and the sum of these losses."""

    samples: int = 0
    judged: int = 0
    losses: float = 0.0

    def __add__(self, other: LessonCounts) -> LessonCounts:
        return LessonCounts(self.samples + other.samples, self.judged + other.judged, self.losses + other.losses)

    def __sub__(self, other: LessonCounts) -> LessonCounts:
        return LessonCounts(self.samples - other.samples, self.judged - other.judged, self.losses - other.losses)

    @property
    def mean_loss(self) -> float:
        """Not a number where there was none."""
        return self.losses / self.judged if self.judged else float("nan")


class LessonError(InputError):
    """A sample was refused, and has changed nothing; `status` says why, `sample` is its number in what was given to learn from."""

    def __init__(self, model: str, status: LessonStatus, sample: int) -> None:
        super().__init__(f"{model} does not learn from sample {sample}: {REASONS[status]}.")
        self.model, self.status, self.sample = model, status, sample
