"""One way to run a compiled model wherever it runs: the host, an emulated chip, a board."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import Protocol, Self

import numpy as np

from lichen.backend.lesson import LessonCounts
from lichen.device.connect import connect, connect_serial
from lichen.device.journal import Journal
from lichen.device.session import Session
from lichen.errors import InputError
from lichen.ir.module import Array
from lichen.targets.board import load_board
from lichen.targets.build import Mark, build_firmware
from lichen.targets.folder import ModelFolder
from lichen.targets.native import NativeModel

Progress = Callable[[int], None]
"""Called with the number of samples done since the last call."""


class Executor(Protocol):
    """A running instance of a model; a context manager. State runs on from sample to sample until `reset`."""

    def run(self, inputs: Sequence[Array], progress: Progress | None = None) -> list[Array]:
        """Outputs `(n, *shape)` for inputs `(n, *shape)`, in the model's own types."""

    def run_until(self, inputs: Sequence[Array], k: int) -> bytes:
        """The arena in front of kernel call `k`, for one sample `(1, *shape)` of each input; needs a validating build."""

    def begin_learning(self, rate: float) -> None:
        """Sets the learning rate and counts lessons anew.

        Raises `InputError` for a rate that is not a number from 0, or a model that does not learn.
        """

    def learn(self, inputs: Sequence[Array], progress: Progress | None = None) -> None:
        """Learns from samples: each input of the function `learn`, the target last, as `(n, *shape)`.

        A device that is reset meanwhile gets its state back, and goes on. Raises `LessonError` for a sample that is refused: samples
        before it are learned, it has changed nothing. Where learning diverges, the state is as it was before the call.
        """

    def lessons(self) -> LessonCounts:
        """What was learned since `begin_learning`; losses are from before the update they led to."""

    def reset(self) -> None:
        """Sets the state to its initial values."""

    def read_state(self) -> bytes:
        """The state as a blob (`lichen.backend.state`), which `write_state` takes wherever the same model runs.

        This and the next three raise `InputError` for a model without state.
        """

    def write_state(self, blob: bytes) -> None:
        """Sets the state. Raises `StateError`, and leaves the state as it is, if the blob is damaged or not this model's."""

    def save(self) -> None:
        """Saves the state to the device's storage, where it survives a reset; the host's lasts as long as the executor."""

    def load(self) -> None:
        """Sets the state to what was saved last. Raises `StateError` if nothing was; the state is then as it was before."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class NativeExecutor:
    """The host's own processor. `run` takes many samples in one call."""

    def __init__(self, model: ModelFolder) -> None:
        self._native = NativeModel(model)
        self._journal = Journal(self._native)

    def run(self, inputs: Sequence[Array], progress: Progress | None = None) -> list[Array]:
        """See `Executor`."""
        outputs = self._native.run(inputs)
        if progress is not None:
            progress(len(inputs[0]))
        return outputs

    def run_until(self, inputs: Sequence[Array], k: int) -> bytes:
        """See `Executor`."""
        return self._native.run_until(inputs, k)

    def begin_learning(self, rate: float) -> None:
        """See `Executor`."""
        self._journal.begin(rate)

    def learn(self, inputs: Sequence[Array], progress: Progress | None = None) -> None:
        """See `Executor`."""
        self._journal.learn(inputs, progress)

    def lessons(self) -> LessonCounts:
        """See `Executor`."""
        return self._journal.counts()

    def reset(self) -> None:
        """See `Executor`."""
        self._native.reset()
        self._journal.renew()

    def read_state(self) -> bytes:
        """See `Executor`."""
        return self._native.read_state()

    def write_state(self, blob: bytes) -> None:
        """See `Executor`."""
        self._native.write_state(blob)
        self._journal.forget()

    def save(self) -> None:
        """See `Executor`."""
        self._native.save()

    def load(self) -> None:
        """See `Executor`."""
        self._native.load()
        self._journal.forget()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        pass


class LinkExecutor:
    """A device at the other end of a link: an emulator or a board."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._journal = Journal(session, session.connect)

    def run(self, inputs: Sequence[Array], progress: Progress | None = None) -> list[Array]:
        """See `Executor`."""
        results = []
        for sample in zip(*inputs, strict=True):
            arrays = [np.asarray(x) for x in sample]
            results.append(self._journal.through_resets(partial(self.session.infer, arrays)))
            if progress is not None:
                progress(1)
        return [np.stack(outputs) for outputs in zip(*results, strict=True)]

    def run_until(self, inputs: Sequence[Array], k: int) -> bytes:
        """See `Executor`."""
        self.session.write_inputs([x[0] for x in inputs])
        self.session.run_until(k)
        return self.session.read_arena()

    def begin_learning(self, rate: float) -> None:
        """See `Executor`."""
        self._journal.begin(rate)

    def learn(self, inputs: Sequence[Array], progress: Progress | None = None) -> None:
        """See `Executor`."""
        self._journal.learn(inputs, progress)

    def lessons(self) -> LessonCounts:
        """See `Executor`."""
        return self._journal.counts()

    def reset(self) -> None:
        """See `Executor`."""
        self.session.reset()
        self._journal.renew()

    def read_state(self) -> bytes:
        """See `Executor`."""
        return self._journal.through_resets(self.session.read_state)

    def write_state(self, blob: bytes) -> None:
        """See `Executor`."""
        self.session.write_state(blob)
        self._journal.forget()

    def save(self) -> None:
        """See `Executor`."""
        self._journal.through_resets(self.session.save)

    def load(self) -> None:
        """See `Executor`."""
        self.session.load()
        self._journal.forget()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.session.close()


def open_executor(model: ModelFolder, on: str, mark: Mark = Mark.NONE) -> Executor:
    """An executor of `model` on `native`, `qemu`, `simavr` or a serial port.

    `mark` chooses the build of firmware for an emulator; what runs on a board is what was flashed. Raises `InputError`
    for an emulator that does not have the board's core, `MissingToolError` where a tool is not installed.
    """
    if on == "native":
        return NativeExecutor(model)
    if on in ("qemu", "simavr"):
        board = load_board(model.board)
        kind = board.emulator.kind if board.emulator is not None else None
        if kind != on:
            raise InputError(
                f"{model.name} was compiled for {board.name}, whose core {on} does not emulate; use --on {kind or 'native'}"
            )
        return LinkExecutor(connect(model, build_firmware(model, board, mark)))
    if "/" in on or on.upper().startswith("COM"):
        return LinkExecutor(connect_serial(model, on))
    raise InputError(f"--on {on} is none of native, qemu, simavr and a serial port such as /dev/ttyACM0")
