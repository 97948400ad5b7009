"""A compiled model that runs: on the host, an emulated chip or a board, in arrays as people keep them."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from lichen.backend.lesson import LessonCounts
from lichen.backend.state import StateBlob
from lichen.device.executor import Progress, open_executor
from lichen.device.validate import load_graph
from lichen.errors import InputError
from lichen.ir.module import Array, Value
from lichen.ir.samples import Form, in_form, to_batch
from lichen.learning.lessons import learning_function, to_targets
from lichen.learning.metrics import Metrics
from lichen.learning.online import is_online, metrics_of
from lichen.targets.folder import ModelFolder


class Device:
    """A running instance of a model; a context manager. State runs on from call to call until `reset`.

    >>> with lichen.connect("build/model", on="qemu") as device:
    ...     scores = device.infer(sample)
    ...     device.learn(samples, labels)
    ...     device.metrics().accuracy
    ...     device.save()
    """

    def __init__(self, model: ModelFolder, on: str) -> None:
        self._model, self._module = model, load_graph(model)
        self._executor = open_executor(model, on)

    def run(self, inputs: Sequence[Array], progress: Progress | None = None) -> list[Array]:
        """Outputs `(n, *shape)` for inputs `(n, *shape)`, in the model's own types."""
        return self._executor.run(inputs, progress)

    def infer(self, x: ArrayLike | Sequence[ArrayLike], progress: Progress | None = None) -> Any:
        """The output for a sample, or for samples `(n, …)`; a list where the model has several outputs.

        `x` is an array, or one for each of several inputs, in the model's type or in float32, which is quantised on the way in; the
        output then comes back in float32. Raises `InputError` for one that does not fit.
        """
        function = self._module.infer
        batches, single, form = _batches(x, function.inputs)
        outputs = self._executor.run(batches, progress)
        given_back = [in_form(y, value.type, form) for y, value in zip(outputs, function.outputs, strict=True)]
        found = [y[0] for y in given_back] if single else given_back
        return found[0] if len(found) == 1 else found

    def begin_learning(self, rate: float) -> None:
        """Sets the learning rate and counts lessons anew. Raises `InputError` for a model that does not learn."""
        self._executor.begin_learning(rate)

    def learn(
        self, x: ArrayLike | Sequence[ArrayLike], target: ArrayLike, progress: Progress | None = None
    ) -> LessonCounts:
        """Learns from a sample and its label (or target), or from `(n, …)` of them, one by one; what was learned since `begin_learning`.

        A device that is reset meanwhile gets its state back, and goes on. Raises `InputError` for arrays that do not fit, `LessonError`
        for a sample that is refused: those before it are learned, it has changed nothing. Where learning diverges, the state is as it
        was before the call.
        """
        learn = learning_function(self._module)
        batches, single, _ = _batches(x, learn.inputs[:-1])
        given = np.asarray(target)
        targets = to_targets(given[np.newaxis] if single else given, learn, len(batches[0]), "target")
        self._executor.learn([*batches, targets], progress)
        return self._executor.lessons()

    @property
    def keeps_metrics(self) -> bool:
        """Whether the model has an online layer."""
        return is_online({state.name: state.initial for state in self._module.states()})

    def metrics(self) -> Metrics:
        """How the online layer does, by predictions made before each lesson. Raises `InputError` for a model without one."""
        if not self.keeps_metrics:
            raise InputError(f"{self._model.name} keeps no metrics; compile it with --learn head:classes=N")
        return metrics_of(self.states())

    def states(self) -> dict[str, Array]:
        """All that the model keeps from call to call, by name."""
        blob = StateBlob.parse(
            self.read_state(), self._model.name, self._model.manifest["digest"], self._model.state_bytes
        )
        return self._model.states(blob.state)

    def reset(self) -> None:
        """Sets the state to its initial values."""
        self._executor.reset()

    def read_state(self) -> bytes:
        """The state as a blob, which `write_state` takes wherever the same model runs. Raises `InputError` for a model without state."""
        return self._executor.read_state()

    def write_state(self, blob: bytes) -> None:
        """Sets the state. Raises `StateError`, and leaves the state as it is, if the blob is damaged or not this model's."""
        self._executor.write_state(blob)

    def save(self) -> None:
        """Saves the state to the device's storage, where it survives a reset; the host's lasts as long as this object."""
        self._executor.save()

    def load(self) -> None:
        """Sets the state to what was saved last. Raises `StateError` if nothing was; the state is then as it was before."""
        self._executor.load()

    def __enter__(self) -> Self:
        self._executor.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._executor.__exit__(kind, error, trace)


def _batches(x: ArrayLike | Sequence[ArrayLike], inputs: list[Value]) -> tuple[list[Array], bool, Form]:
    """What is given as batches `(n, *shape)`, whether it was a single sample, and its form."""
    given = [np.asarray(x)] if len(inputs) == 1 else [np.asarray(array) for array in x]  # type: ignore[union-attr]
    if len(given) != len(inputs):
        raise InputError(f"the model takes {len(inputs)} inputs, not {len(given)}")
    dimensions = inputs[0].type.rank - (inputs[0].type.shape[:1] == (1,))
    single = given[0].ndim == dimensions
    arrays = [array[np.newaxis] for array in given] if single else given
    found = [to_batch(array, value, "x") for array, value in zip(arrays, inputs, strict=True)]
    if len({len(batch) for batch, _ in found}) != 1:
        raise InputError("the inputs hold different numbers of samples")
    form = Form(
        any(was_float for _, was_float in found),
        all(array.ndim == batch.ndim for array, (batch, _) in zip(arrays, found, strict=True)),
    )
    return [batch for batch, _ in found], single, form
