"""What a model has learned since its state was last read, kept by the host: a reset of the device loses nothing, and nothing is learned twice.

How this works inside: a *point* is the state as a blob, read from the device now and then, and the lessons since. After a reset the blob is
written back and the lessons are given once more, in their order, so the state is what it would have been. The same brings a model
back to where it was before a call that diverged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from lichen.backend.lesson import LessonCounts, LessonError, LessonStatus
from lichen.device.link import RefusedError
from lichen.device.protocol import Status
from lichen.ir.module import Array

MOST_KEPT = 16
"""Lessons are kept until they have so many times the bytes of the state, which is then read anew: little traffic more."""

_MOST_RESETS = 5  # in a row, before the device is given up

T = TypeVar("T")


class Learner(Protocol):
    """A running model that learns: a session with a device, or the host's own. See `Session`."""

    @property
    def samples_at_once(self) -> int: ...

    def require_learning(self) -> None: ...

    def begin_learning(self, rate: float) -> None: ...

    def learn(self, inputs: Sequence[Array]) -> None: ...

    def lessons(self) -> LessonCounts: ...

    def read_state(self) -> bytes: ...

    def write_state(self, blob: bytes) -> None: ...


@dataclass(frozen=True)
class _Point:
    """A state, the lessons counted by then, and what came since: a learning rate, or samples."""

    blob: bytes
    counts: LessonCounts
    since: list[float | list[Array]] = field(default_factory=list)

    @property
    def is_old(self) -> bool:
        kept = sum(x.nbytes for entry in self.since if isinstance(entry, list) for x in entry)
        return kept > MOST_KEPT * len(self.blob)

    def now(self) -> _Point:
        """This moment, whatever comes after it."""
        return _Point(self.blob, self.counts, list(self.since))


class Journal:
    """Gives lessons to `learner` and remembers them. `reconnect` begins anew with a device that was reset, where that can happen."""

    def __init__(self, learner: Learner, reconnect: Callable[[], None] | None = None) -> None:
        self._learner, self._reconnect = learner, reconnect
        self._point: _Point | None = None
        self._earlier = LessonCounts()  # what the device no longer counts

    def begin(self, rate: float) -> None:
        """Sets the learning rate and counts lessons anew."""
        self._learner.require_learning()
        point = self._kept()
        self.through_resets(lambda: self._learner.begin_learning(rate))
        point.since.append(rate)
        self._earlier = LessonCounts()

    def learn(self, inputs: Sequence[Array], progress: Callable[[int], None] | None = None) -> None:
        """Learns from samples `(n, *shape)`, the target last.

        Raises `LessonError` for a sample that is refused. What came before it is learned; but where learning diverges the state is
        put back to what it was before this call.
        """
        self._learner.require_learning()
        start = self._kept().now()
        at_once = self._learner.samples_at_once
        for first in range(0, len(inputs[0]), at_once):
            some = [x[first : first + at_once] for x in inputs]
            try:
                self._learn(some)
            except LessonError as error:
                if error.status == LessonStatus.DIVERGED:
                    self._point = start
                    self.through_resets(lambda: self._restore(start))
                raise LessonError(error.model, error.status, first + error.sample) from error
            if progress is not None:
                progress(len(some[0]))

    def _learn(self, some: list[Array]) -> None:
        point = self._kept()
        try:
            self.through_resets(lambda: self._learner.learn(some))
        except LessonError as error:
            if error.sample:
                point.since.append([x[: error.sample] for x in some])
            raise
        point.since.append(some)

    def counts(self) -> LessonCounts:
        """Since `begin`, over all resets."""
        self._learner.require_learning()
        return self.through_resets(self._learner.lessons) + self._earlier

    def forget(self) -> None:
        """The state has become another by other means than lessons, so what is remembered of it is no longer true."""
        self._point = None

    def renew(self) -> None:
        """The model was set to its initial values, its counts too."""
        self.forget()
        self._earlier = LessonCounts()

    def through_resets(self, work: Callable[[], T]) -> T:
        """What `work` returns. If the device was reset meanwhile it is brought back to where it was, and `work` is done again.

        Raises `RefusedError` where nothing is known of the state that the device had.
        """
        was_reset = False
        for left in reversed(range(_MOST_RESETS)):
            try:
                if was_reset and self._reconnect is not None and self._point is not None:
                    self._reconnect()
                    self._restore(self._point)
                return work()
            except RefusedError as error:
                was_reset = error.status == Status.NOT_CONNECTED and self._point is not None
                if not was_reset or not left:
                    raise
        raise AssertionError("the last error was raised")

    def _kept(self) -> _Point:
        """The point that lessons are added to. It is made where there is none, or where there is much to remember."""
        if self._point is None or self._point.is_old:
            blob = self.through_resets(self._learner.read_state)
            self._point = _Point(blob, self.counts())
        return self._point

    def _restore(self, point: _Point) -> None:
        self._learner.write_state(point.blob)
        self._earlier = point.counts - self._learner.lessons()  # which may have counted lessons that are taken back
        for entry in list(point.since):
            if isinstance(entry, float):
                self._learner.begin_learning(entry)
                self._earlier = LessonCounts()
            else:
                self._learner.learn(entry)
