"""The fan's autoencoder: taught on the host, quantised, and its last layer taught again in the field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import nn

from lichen.compiler import Compilation, compile_model, prepare
from lichen.demos.fan_parts import FAULT, FEATURES, FIELD, NORMAL, Floats, Session
from lichen.device.count import Count, count_first, count_lesson
from lichen.device.executor import Executor, open_executor
from lichen.ir.module import Array, Module
from lichen.ir.samples import quantise
from lichen.ir.types import TensorType
from lichen.learning.choice import Last
from lichen.learning.trainable import make_trainable
from lichen.nn.quantize import quantize
from lichen.nn.threads import single_threaded
from lichen.passes.gradient_descent import GradientDescent
from lichen.reading import from_torch
from lichen.targets.folder import open_folder

BOARD = "nano33ble"
HIDDEN, EMBEDDING = 16, 4
UPDATES = 2000
HOW = GradientDescent(learning_rate=0.1)  # chosen on the validation parts, as are the next four

_EPOCHS = 60  # three seconds
_BATCH = 32
_BLUR = 0.3  # standard deviation of what is added to an input in training, in that of the features

_HEADROOM = (
    8.0  # standard deviations by which the field's features may lie beyond those that taught the host, either way
)

ProgressBar = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]


@dataclass(frozen=True)
class Errors:
    """Mean squared reconstruction errors of windows, in squared standard deviations of the features, and what they say.

    `auc` is the probability that a faulty window has the larger error of the two; `false_alarms` and `detected` are the shares of normal
    and of faulty windows above the threshold.
    """

    normal: NDArray[np.float64]
    fault: NDArray[np.float64]
    auc: float
    false_alarms: float
    detected: float


@dataclass(frozen=True)
class FineTuning:
    """What `UPDATES` lessons in the field have changed; both counts are of one window."""

    threshold: float
    before: Errors
    after: Errors
    compiled: Compilation
    infer: Count
    learn: Count


def train_autoencoder(session: Session, seed: int) -> nn.Module:
    """40-16-4-16-40 with tanh, taught to reconstruct the session's training part from slightly blurred inputs."""
    with single_threaded(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = nn.Sequential(
            *(nn.Linear(FEATURES, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, EMBEDDING)),
            *(nn.Linear(EMBEDDING, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, FEATURES)),
        )
        x = torch.from_numpy(session.train)
        optimiser = torch.optim.AdamW(network.parameters(), 3e-3, weight_decay=1e-2)
        for _ in range(_EPOCHS):
            for chosen in torch.split(torch.randperm(len(x)), _BATCH):
                batch = x[chosen]
                optimiser.zero_grad()
                loss = nn.functional.mse_loss(network(batch + _BLUR * torch.randn_like(batch)), batch)
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
    return network


def quantised(network: nn.Module, session: Session) -> Module:
    """The autoencoder in int8. Its ranges leave room for a field that is louder or quieter than the session it was taught."""
    known = torch.from_numpy(session.train[::4])
    calibration = torch.cat([known, known + _HEADROOM, known - _HEADROOM])
    return prepare(from_torch(quantize(network, known[:1], [calibration], "minmax"), "fan_autoencoder"))


def fine_tune(module: Module, sessions: Mapping[str, Session], folder: Path, on: str, bar: ProgressBar) -> FineTuning:
    """Lets the last layer learn on the device what is normal in the field, and tests it before and after.

    The threshold is fixed before, on the host's own session: the largest error of its validation part. A window like those of `n` others
    exceeds them all with probability 1 / (n + 1).
    """
    trainable = make_trainable(module, Last(1), "mean_squared_error", HOW)
    compiled = compile_model(trainable, BOARD, folder)
    model, type_ = open_folder(folder), module.infer.inputs[0].type
    known, normal, fault = sessions[NORMAL].validation, sessions[FIELD].test, sessions[FAULT].all
    lessons = np.resize(sessions[FIELD].train, (UPDATES, FEATURES))  # again from the start where the session ends
    with open_executor(model, on) as executor:
        with bar(f"autoencoder: testing on {on}", len(known) + len(normal) + len(fault)) as progress:
            threshold = float(_errors(executor, type_, known, progress).max())
            before = _judge(executor, type_, normal, fault, threshold, progress)
        with bar(f"autoencoder: learning on {on}", UPDATES) as progress:
            executor.begin_learning(HOW.learning_rate)
            executor.learn([as_input(lessons, type_), lessons[:, None]], progress)
        with bar(f"autoencoder: testing on {on}", len(normal) + len(fault)) as progress:
            after = _judge(executor, type_, normal, fault, threshold, progress)
    sample: list[Array] = [as_input(lessons[:1], type_), lessons[:1, None]]
    infer, learn = count_first(model, on, sample[:1]), count_lesson(model, on, sample)
    return FineTuning(threshold, before, after, compiled, infer, learn)


def as_input(x: Floats, type_: TensorType) -> NDArray[np.int8]:
    """Features (n, 40) as the model takes them, (n, 1, 40)."""
    return quantise(x, type_)[:, None]


def _errors(executor: Executor, type_: TensorType, x: Floats, progress: Callable[[int], None]) -> NDArray[np.float64]:
    """Of each window, between the features and what the device makes of them."""
    (made,) = executor.run([as_input(x, type_)], progress)
    errors: NDArray[np.float64] = np.square(made[:, 0].astype(np.float64) - x).mean(axis=1)
    return errors


def _judge(
    executor: Executor,
    type_: TensorType,
    normal: Floats,
    fault: Floats,
    threshold: float,
    progress: Callable[[int], None],
) -> Errors:
    of_normal, of_fault = (_errors(executor, type_, x, progress) for x in (normal, fault))
    faulty = np.repeat([0, 1], [len(normal), len(fault)])
    auc = roc_auc_score(faulty, np.concatenate([of_normal, of_fault]))
    return Errors(
        of_normal, of_fault, float(auc), float((of_normal > threshold).mean()), float((of_fault > threshold).mean())
    )
