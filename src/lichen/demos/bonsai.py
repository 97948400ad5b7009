"""Bonsai in two kilobytes on an Arduino Uno, beside a dense network of the same size and nearest neighbours.

After Kumar, Goyal, Varma (ICML 2017), whose data sets have several classes clubbed into two; which ones the paper does not tell. Here it is even against
odd digits: of MNIST's 28x28 pixels, and of the same digits in the 16x16 pixels of USPS. Of 5,000 digits 3,000 teach, 1,000 chose all settings
below, and 1,000 test. The chip is given the pixels that a model asks for: making coarse pixels of fine ones is in no figure.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.neighbors import KNeighborsClassifier
from torch import nn

from lichen.compiler import Compilation, compile_model
from lichen.data.digits import SIDE, Digits, hold_out, load_digits, resize, shrink
from lichen.demos.chip import on_chip, require_same
from lichen.demos.progress import ProgressBar, Remark
from lichen.device.executor import open_executor
from lichen.errors import NoError
from lichen.ir.module import Module
from lichen.ir.samples import to_batch
from lichen.nn.bonsai import Bonsai, Budget, train_bonsai
from lichen.nn.bonsai_graph import bonsai_module
from lichen.nn.quantize import quantize
from lichen.nn.tensors import to_tensor
from lichen.nn.train import Recipe, accuracy, fit, predict
from lichen.reading import from_torch
from lichen.targets.folder import open_folder

BOARD = "uno"
MODEL_BYTES = 2048
CALIBRATION_SAMPLES = 300


@dataclass(frozen=True)
class Task:
    """Even against odd digits of `side` x `side` pixels, and the settings of each method, chosen on the validation part.

    `coarse` is by what factor dense network and prototypes see fewer pixels, with which they are best in 2 kB; Bonsai and the neighbours see all.
    """

    name: str
    title: str
    side: int
    projection: float
    coarse: int
    hidden: int
    neighbours: int


TASKS = (
    Task("mnist_2", "MNIST-2", side=SIDE, projection=0.12, coarse=4, hidden=33, neighbours=3),
    Task("usps_2", "USPS-like-2", side=16, projection=0.45, coarse=2, hidden=27, neighbours=1),
)
PROJECTED, DEPTH = 10, 2
BONSAI_RECIPE, DENSE_RECIPE = Recipe(epochs=40), Recipe(epochs=60)
QUICK_EPOCHS = 6


@dataclass(frozen=True)
class Figures:
    """One method on one task. Accuracies on the test part, one a seed, float ones before quantisation; bytes and time are the most of all seeds.

    `None` is what does not apply: nearest neighbours have no weights to quantise and are not compiled.
    """

    accuracy: tuple[float, ...]
    mean: float
    model_bytes: int
    accuracy_float: tuple[float, ...] | None = None
    flash: int | None = None
    ram: int | None = None
    milliseconds: float | None = None
    agrees: bool | None = None
    """Whether the emulated chip gave what the interpreter gives: integers to the byte, the float32 scores of Bonsai's tree within rounding."""


@dataclass(frozen=True)
class Result:
    """The figures of each method, by task and method."""

    tasks: Mapping[str, Mapping[str, Figures]]

    def answer(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {task: {name: asdict(f) for name, f in methods.items()} for task, methods in self.tasks.items()}


@dataclass(frozen=True)
class Trial:
    """A compiled model of one seed."""

    accuracy_float: float
    accuracy: float
    compiled: Compilation
    agrees: bool | None
    milliseconds: float | None


def run(bar: ProgressBar, remark: Remark, keep: Path | None = None, seeds: int = 3, quick: bool = False) -> Result:
    """Runs the demo for so many seeds; compiled models are kept below `keep` if that is given.

    `quick` takes few epochs: to see it work, not to reach its figures. Raises `NoError` if C or chip do not give what the interpreter gives, or a
    model is larger than two kilobytes.
    """
    digits = load_digits()
    parts = hold_out(digits, seed=1)
    seen = Digits(parts.train_x, parts.train_y % 2, digits.test_x, digits.test_y % 2)
    with tempfile.TemporaryDirectory() as scratch:
        folder = keep or Path(scratch)
        return Result({task.name: _task(task, seen, folder / task.name, bar, remark, seeds, quick) for task in TASKS})


def _task(
    task: Task, digits: Digits, folder: Path, bar: ProgressBar, remark: Remark, seeds: int, quick: bool
) -> dict[str, Figures]:
    fine = replace(digits, train_x=resize(digits.train_x, task.side), test_x=resize(digits.test_x, task.side))
    coarse = replace(fine, train_x=shrink(fine.train_x, task.coarse), test_x=shrink(fine.test_x, task.coarse))
    bonsai = [_bonsai(task, fine, seed, folder, bar, remark, quick) for seed in range(seeds)]
    dense = [_dense(task, coarse, seed, folder, bar, remark, quick) for seed in range(seeds)]
    with bar(f"{task.title}: nearest neighbours", seeds + 1) as progress:
        pixels = task.side**2
        every = KNeighborsClassifier(task.neighbours).fit(_flat(fine.train_x), fine.train_y)
        all_of_them = _neighbours([every.score(_flat(fine.test_x), fine.test_y)], len(fine.train_y), pixels)
        progress(1)
        few = MODEL_BYTES // (pixels // task.coarse**2 + 1)
        scores = []
        for seed in range(seeds):
            scores.append(_prototypes(coarse, few, seed))
            progress(1)
    return {
        "bonsai": _figures(bonsai),
        "dense": _figures(dense),
        "knn": all_of_them,
        "knn_prototypes": _neighbours(scores, few, pixels // task.coarse**2),
    }


def _bonsai(
    task: Task, digits: Digits, seed: int, folder: Path, bar: ProgressBar, remark: Remark, quick: bool
) -> Trial:
    recipe = _recipe(BONSAI_RECIPE, seed, quick)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Bonsai(task.side**2, 2, PROJECTED, DEPTH)
    with bar(f"{task.title}, seed {seed}: training Bonsai", recipe.epochs) as progress:
        budget = Budget(projection=task.projection)
        train_bonsai(model, digits.train_x, digits.train_y, budget, recipe, lambda _: progress(1))
    module = bonsai_module(model, digits.train_x[:CALIBRATION_SAMPLES], f"bonsai_{task.name}")
    return _trial(model, module, _flat(digits.test_x), digits, "coded", folder / f"bonsai_{seed}", remark)


def _dense(task: Task, digits: Digits, seed: int, folder: Path, bar: ProgressBar, remark: Remark, quick: bool) -> Trial:
    recipe = _recipe(DENSE_RECIPE, seed, quick)
    inputs = digits.train_x[0].size
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Flatten(), nn.Linear(inputs, task.hidden), nn.ReLU(), nn.Linear(task.hidden, 2))
    with bar(f"{task.title}, seed {seed}: training the dense network", recipe.epochs) as progress:
        fit(model, digits.train_x, digits.train_y, recipe, lambda _: progress(1))
    x = to_tensor(digits.train_x[:CALIBRATION_SAMPLES])
    module = from_torch(quantize(model, x[:1], [x]), f"dense_{task.name}")
    return _trial(model, module, digits.test_x, digits, "plain", folder / f"dense_{seed}", remark)


def _trial(
    model: nn.Module,
    module: Module,
    test_x: NDArray[np.float32],
    digits: Digits,
    weights: str,
    out: Path,
    remark: Remark,
) -> Trial:
    compiled = compile_model(module, BOARD, out, weights=weights)
    for note in compiled.notes:
        remark(f"{compiled.name}: {note}")
    if compiled.weights > MODEL_BYTES:
        raise NoError(
            f"{compiled.name} takes {compiled.weights:,} bytes, more than {MODEL_BYTES:,}; please report this"
        )
    x, _ = to_batch(test_x, module.infer.inputs[0], "digits")
    require_same(compiled, "native", x)
    with open_executor(open_folder(compiled.path), "native") as executor:
        right = accuracy(executor.run([x])[0], digits.test_y)
    return Trial(accuracy(predict(model, test_x), digits.test_y), right, compiled, *on_chip(compiled, x, remark))


def _figures(trials: Sequence[Trial]) -> Figures:
    compiled, accuracies = [t.compiled for t in trials], tuple(t.accuracy for t in trials)
    agreed = [t.agrees for t in trials if t.agrees is not None]
    return Figures(
        accuracy=accuracies,
        mean=float(np.mean(accuracies)),
        model_bytes=max(c.weights for c in compiled),
        accuracy_float=tuple(t.accuracy_float for t in trials),
        flash=max((c.flash for c in compiled if c.flash is not None), default=None),
        ram=max(c.ram for c in compiled),
        milliseconds=max((t.milliseconds for t in trials if t.milliseconds is not None), default=None),
        agrees=all(agreed) if agreed else None,
    )


def _neighbours(scores: Sequence[float], count: int, pixels: int) -> Figures:
    """A byte for each pixel of what is kept, and one for its class."""
    return Figures(tuple(map(float, scores)), float(np.mean(scores)), count * (pixels + 1))


def _prototypes(digits: Digits, count: int, seed: int) -> float:
    """The accuracy of the nearest of `count` centres of k-means, as many for each class."""
    x = _flat(digits.train_x)
    shares = (count // 2, count - count // 2)
    centres = [
        KMeans(share, n_init=4, random_state=seed).fit(x[digits.train_y == label]).cluster_centers_
        for label, share in enumerate(shares)
    ]
    nearest = KNeighborsClassifier(1).fit(np.concatenate(centres), np.repeat([0, 1], shares))
    return float(nearest.score(_flat(digits.test_x), digits.test_y))


def _recipe(recipe: Recipe, seed: int, quick: bool) -> Recipe:
    return replace(recipe, seed=seed, epochs=QUICK_EPOCHS if quick else recipe.epochs)


def _flat(x: NDArray[np.float32]) -> NDArray[np.float32]:
    return x.reshape(len(x), -1)
