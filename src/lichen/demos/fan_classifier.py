"""The fan's classifier: an online layer on the autoencoder's embedding and error, which learns the kinds of window as they come."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from river.linear_model import SoftmaxRegression
from river.optim import SGD
from river.preprocessing import StandardScaler
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from lichen.compiler import Compilation, compile_model
from lichen.demos.fan_autoencoder import BOARD, EMBEDDING, ProgressBar, as_input
from lichen.demos.fan_parts import KINDS, Floats, Session
from lichen.device.count import Count, count_first, count_lesson
from lichen.device.executor import Executor, NativeExecutor, open_executor
from lichen.errors import NoError
from lichen.ir.interpret import Interpreter
from lichen.ir.module import Array, Module, Operation
from lichen.learning.choice import Head, OnlineLayer
from lichen.learning.online import make_online
from lichen.learning.reconstruction_error import append_reconstruction_error
from lichen.passes.gradient_descent import GradientDescent
from lichen.targets.folder import open_folder

CAPACITY = 8
"""Neurons that the chip has room for; four are asked for."""

STEP = 50
"""Lessons between two looks at the test parts."""

RATES = {"class by class": 2.0, "shuffled": 0.2}
"""Learning rates, chosen on the validation parts. Class by class it is large: the first windows of a kind teach it so well that the loss of all
others is next to nothing, and what was learned before is moved no more."""

RIVER_RATE = 0.2
"""What suits river best in either order, on the validation parts."""

EPOCHS = (1, 2, 5, 10, 20, 50, 100)

Curve = list[tuple[int, float]]
"""Lessons, or epochs, and the macro F1 over all kinds on the test parts."""


@dataclass(frozen=True)
class Classification:
    """Curves of the orders of teaching, by the names in `RATES`; `began` says at which lesson each kind came first, class by class."""

    online: dict[str, Curve]
    river: dict[str, Curve]
    offline: Curve
    began: list[int]
    compiled: Compilation
    infer: Count
    learn: Count


@dataclass(frozen=True)
class _Windows:
    """Windows of all kinds: what goes into the autoencoder (n, 1, 40), what comes out as features (n, 5), and the kind (n,)."""

    x: NDArray[np.int8]
    features: NDArray[np.float64]
    kind: NDArray[np.int32]

    def __getitem__(self, chosen: NDArray[np.intp]) -> _Windows:
        return _Windows(self.x[chosen], self.features[chosen], self.kind[chosen])


def classify(
    autoencoder: Module, sessions: Mapping[str, Session], folder: Path, on: str, bar: ProgressBar
) -> Classification:
    """Teaches the kinds on the device, class by class and shuffled; offline and in river beside it, from the same features."""
    module = append_reconstruction_error(autoencoder)
    embedding = _embedding(module)
    layer = OnlineLayer(Head(CAPACITY, (embedding, module.infer.outputs[1].name)))
    online = make_online(module, layer, GradientDescent(RATES["shuffled"]))
    online.name = "fan_classifier"
    compiled = compile_model(online, BOARD, folder)
    model = open_folder(folder)
    known = [sessions[name] for name in KINDS]
    total = sum(len(s.train) + len(s.test) for s in known)
    with bar("classifier: features for the host", total) as progress:
        taught = _windows(module, embedding, [s.train for s in known], progress)
        tested = _windows(module, embedding, [s.test for s in known], progress)
    orders = {
        "class by class": np.arange(len(taught.kind)),
        "shuffled": np.random.default_rng(0).permutation(len(taught.kind)),
    }
    on_chip, in_river = {}, {}
    with open_executor(model, on) as executor:
        for name, order in orders.items():
            with bar(f"classifier: {name} on {on}", len(order) + len(tested.kind)) as progress:
                on_chip[name] = _teach(executor, NativeExecutor(model), taught[order], tested, RATES[name], progress)
    for name, order in orders.items():
        with bar(f"classifier: {name} in river", len(order)) as progress:
            in_river[name] = _teach_river(taught[order], tested, progress)
    first: list[Array] = [taught.x[:1], taught.kind[:1, None]]
    return Classification(
        on_chip,
        in_river,
        _offline(taught, tested),
        [int(np.argmax(taught.kind == kind)) for kind in range(len(KINDS))],
        compiled,
        count_first(model, on, first[:1]),
        count_lesson(model, on, first),
    )


def _embedding(module: Module) -> str:
    """The narrowest tensor of the autoencoder, by name."""
    values = (v for op in module.infer.operations for v in op.results)
    return next(v.name for v in values if v.type.elements == EMBEDDING)


def _windows(module: Module, embedding: str, parts: Sequence[Floats], progress: Callable[[int], None]) -> _Windows:
    """What the interpreter makes of windows is what the chip makes of them, to the byte as far as integers go."""
    x = as_input(np.concatenate(parts), module.infer.inputs[0].type)
    interpreter, features = Interpreter(module), []
    for window in x:
        inner: list[Array] = []

        def observe(operation: Operation, results: Sequence[Array], inner: list[Array] = inner) -> None:
            if operation.name == embedding:
                inner.extend(results)

        _, error = interpreter.run([window], observe)
        features.append([*inner[0].ravel(), *error])
        progress(1)
    kind = np.repeat(np.arange(len(parts)), [len(part) for part in parts]).astype(np.int32)
    return _Windows(x, np.array(features, np.float64), kind)


def _teach(
    executor: Executor,
    host: Executor,
    taught: _Windows,
    tested: _Windows,
    rate: float,
    progress: Callable[[int], None],
) -> Curve:
    """The device learns from a fresh start. Every `STEP` lessons the test parts are judged by its state, read back to the host, where that takes no
    time; after the last lesson by itself as well. Raises `NoError` where it does not say the same.
    """
    executor.reset()
    executor.begin_learning(rate)
    curve = []
    for start in range(0, len(taught.kind), STEP):
        chosen = slice(start, start + STEP)
        executor.learn([taught.x[chosen], taught.kind[chosen, None]], progress)
        host.write_state(executor.read_state())
        label = host.run([tested.x])[1]
        curve.append((min(start + STEP, len(taught.kind)), macro_f1(tested.kind, label)))
    if not np.array_equal(executor.run([tested.x], progress)[1], label):
        raise NoError("the chip judges windows otherwise than the host does by the chip's state; please report this")
    return curve


def _teach_river(taught: _Windows, tested: _Windows, progress: Callable[[int], None]) -> Curve:
    """The same windows in the same order through river's scaler and softmax regression, whose intercept is a feature that is always 1."""
    scaler: Any = StandardScaler()  # river has no types
    model: Any = SoftmaxRegression(SGD(RIVER_RATE))
    rows, held_out = ([dict(enumerate(row)) for row in part.features.tolist()] for part in (taught, tested))

    def scaled(row: dict[int, float]) -> dict[Any, Any]:
        return {**scaler.transform_one(row), len(row): 1.0}

    curve = []
    for step, (row, kind) in enumerate(zip(rows, taught.kind.tolist(), strict=True), 1):
        scaler.learn_one(row)
        model.learn_one(scaled(row), kind)
        progress(1)
        if step % STEP == 0 or step == len(rows):
            label = np.array([model.predict_one(scaled(row)) for row in held_out])
            curve.append((step, macro_f1(tested.kind, label)))
    return curve


def _offline(taught: _Windows, tested: _Windows) -> Curve:
    """Softmax regression with all windows at hand: scikit-learn's, by SAGA, whose iterations go through the data once each."""
    mean, deviation = taught.features.mean(axis=0), taught.features.std(axis=0)
    x, held_out = ((part.features - mean) / deviation for part in (taught, tested))
    curve = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # that is the point of few epochs
        for epochs in EPOCHS:
            model = LogisticRegression(solver="saga", max_iter=epochs, tol=0.0, C=100.0, random_state=0)
            label = model.fit(x, taught.kind).predict(held_out)
            curve.append((epochs, macro_f1(tested.kind, label)))
    return curve


def macro_f1(kind: NDArray[np.int32], label: Array) -> float:
    """The mean F1 of all kinds; one that was never predicted, as before it was taught, has 0."""
    score = f1_score(kind, label.ravel(), labels=range(len(KINDS)), average="macro", zero_division=0.0)
    return float(score)
