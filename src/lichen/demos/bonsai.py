"""Bonsai in two kilobytes on an Arduino Uno, beside dense networks of at most the same size and nearest neighbours.

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
from lichen.compression.magnitude_pruning import CubicSchedule, prune_weights
from lichen.compression.weight_sharing import settle_weights, share_weights
from lichen.data.digits import SIDE, Digits, load_digits, resize, shrink
from lichen.demos.chip import on_chip, require_same
from lichen.demos.compression import three_fifths
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
class Tree:
    """A Bonsai over pixels `coarse` times as wide, to `projected` numbers; `share` of its projection is not zero, and has so many `bits`."""

    coarse: int
    projected: int
    share: float
    bits: int


@dataclass(frozen=True)
class Dense:
    """A network of one layer of `hidden` neurons, of whose weights `density` are not zero; all others share `CLUSTERS` values if any is."""

    coarse: int
    hidden: int
    density: float = 1.0


@dataclass(frozen=True)
class Task:
    """Even against odd digits of `side` x `side` pixels, and the settings of each method, chosen on the validation part."""

    name: str
    title: str
    side: int
    tree: Tree
    dense: Dense
    pruned: Dense
    neighbours: int
    prototypes_coarse: int


TASKS = (
    Task(
        name="mnist_2",
        title="MNIST-2",
        side=SIDE,
        tree=Tree(coarse=2, projected=10, share=0.5, bits=6),
        dense=Dense(coarse=4, hidden=33),
        pruned=Dense(coarse=2, hidden=30, density=0.25),
        neighbours=3,
        prototypes_coarse=4,
    ),
    Task(
        name="usps_2",
        title="USPS-like-2",
        side=16,
        tree=Tree(coarse=1, projected=8, share=0.5, bits=6),
        dense=Dense(coarse=2, hidden=27),
        pruned=Dense(coarse=1, hidden=20, density=0.3),
        neighbours=1,
        prototypes_coarse=2,
    ),
)
DEPTH, CLUSTERS = 2, 15
TRAINING, TUNING = Recipe(epochs=40), Recipe(epochs=4, learning_rate=1e-3)
PRUNING = CubicSchedule(begin=0.0, end=0.5)
QUICK_EPOCHS = 6


@dataclass(frozen=True)
class Figures:
    """One method on one task. Accuracies on the test part, one a seed, float ones before quantisation; bytes and time are the most of all seeds.

    `None` is what does not apply: nearest neighbours have no weights to quantise and are not compiled.
    """

    accuracy: tuple[float, ...]
    model_bytes: int
    accuracy_float: tuple[float, ...] | None = None
    flash: int | None = None
    ram: int | None = None
    milliseconds: float | None = None
    identical: bool | None = None
    """Whether the emulated chip gave the interpreter's bytes."""

    @property
    def mean(self) -> float:
        """Of the accuracies."""
        return float(np.mean(self.accuracy))


@dataclass(frozen=True)
class Result:
    """The figures of each method, by task and method."""

    tasks: Mapping[str, Mapping[str, Figures]]

    def answer(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            task: {name: asdict(f) | {"mean": f.mean} for name, f in methods.items()}
            for task, methods in self.tasks.items()
        }


@dataclass(frozen=True)
class Trial:
    """A compiled model of one seed."""

    accuracy_float: float
    accuracy: float
    compiled: Compilation
    identical: bool | None
    milliseconds: float | None


def run(bar: ProgressBar, remark: Remark, keep: Path | None = None, seeds: int = 3, quick: bool = False) -> Result:
    """Runs the demo for so many seeds; compiled models are kept below `keep` if that is given.

    `quick` takes few epochs: to see it work, not to reach its figures. Raises `NoError` if C or chip do not give what the interpreter gives, or a
    model is larger than two kilobytes.
    """
    digits = load_digits()
    parts = three_fifths(digits)
    seen = Digits(parts.train_x, parts.train_y % 2, digits.test_x, digits.test_y % 2)
    with tempfile.TemporaryDirectory() as scratch:
        folder = keep or Path(scratch)
        return Result({task.name: _task(task, seen, folder / task.name, bar, remark, seeds, quick) for task in TASKS})


def _task(
    task: Task, digits: Digits, folder: Path, bar: ProgressBar, remark: Remark, seeds: int, quick: bool
) -> dict[str, Figures]:
    figures = {}
    for method, settings in (("bonsai", task.tree), ("dense", task.dense), ("dense_pruned", task.pruned)):
        seen = _seen(digits, task.side, settings.coarse)
        trials = []
        for seed in range(seeds):
            model, module = _trained(f"{task.title}, seed {seed}", settings, seed, seen, bar, quick)
            trials.append(_trial(model, module, seen, folder / f"{method}_{seed}", remark))
        figures[method] = _figures(trials)
    return figures | _nearest(task, digits, bar, seeds)


def _seen(digits: Digits, side: int, coarse: int) -> Digits:
    """The digits in as many pixels as a method asks for, in a row."""

    def pixels(images: NDArray[np.float32]) -> NDArray[np.float32]:
        return shrink(resize(images, side), coarse).reshape(len(images), -1)

    return replace(digits, train_x=pixels(digits.train_x), test_x=pixels(digits.test_x))


def _trained(
    what: str, settings: Tree | Dense, seed: int, digits: Digits, bar: ProgressBar, quick: bool
) -> tuple[nn.Module, Module]:
    """The network in floating point, and in whole numbers."""
    if isinstance(settings, Tree):
        return _bonsai(what, settings, seed, digits, bar, quick)
    return _dense(what, settings, seed, digits, bar, quick)


def _bonsai(
    what: str, tree: Tree, seed: int, digits: Digits, bar: ProgressBar, quick: bool
) -> tuple[nn.Module, Module]:
    recipe = _recipe(TRAINING, seed, quick)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Bonsai(digits.train_x.shape[1], 2, tree.projected, DEPTH)
    with bar(f"{what}: training Bonsai", recipe.epochs) as progress:
        budget = Budget(projection=tree.share, weights=1, gates=1, branches=1)
        train_bonsai(model, digits.train_x, digits.train_y, budget, recipe, lambda _: progress(1))
    return model, bonsai_module(model, digits.train_x[:CALIBRATION_SAMPLES], "bonsai", tree.bits)


def _dense(
    what: str, dense: Dense, seed: int, digits: Digits, bar: ProgressBar, quick: bool
) -> tuple[nn.Module, Module]:
    recipe, tuning = _recipe(TRAINING, seed, quick), _recipe(TUNING, seed, quick)
    x, y, pruned = digits.train_x, digits.train_y, dense.density < 1
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Linear(x.shape[1], dense.hidden), nn.ReLU(), nn.Linear(dense.hidden, 2))
    kind = "a pruned dense network" if pruned else "a dense network"
    epochs = recipe.epochs + (tuning.epochs if pruned else 0)
    with bar(f"{what}: training {kind}", epochs) as progress:
        if pruned:
            density = {"0": dense.density, "2": 1.0}
            prune_weights(model, x, y, density, recipe, lambda _: progress(1), schedule=PRUNING)
            fit(share_weights(model, CLUSTERS), x, y, tuning, lambda _: progress(1))
            settle_weights(model)
        else:
            fit(model, x, y, recipe, lambda _: progress(1))
    calibration = to_tensor(x[:CALIBRATION_SAMPLES])
    int8 = quantize(model, calibration[:1], [calibration], weight_scale="tensor" if pruned else "channel")
    return model, from_torch(int8, "dense")


def _nearest(task: Task, digits: Digits, bar: ProgressBar, seeds: int) -> dict[str, Figures]:
    """Nearest neighbours among all digits of the training part, and among as many centres of them as two kilobytes hold."""
    fine, coarse = _seen(digits, task.side, 1), _seen(digits, task.side, task.prototypes_coarse)
    few = MODEL_BYTES // (coarse.train_x.shape[1] + 1)
    with bar(f"{task.title}: nearest neighbours", seeds + 1) as progress:
        neighbours = KNeighborsClassifier(task.neighbours).fit(fine.train_x, fine.train_y)
        all_of_them = _neighbours([neighbours.score(fine.test_x, fine.test_y)], *fine.train_x.shape)
        progress(1)
        scores = []
        for seed in range(seeds):
            scores.append(_prototypes(coarse, few, seed))
            progress(1)
    return {"knn": all_of_them, "knn_prototypes": _neighbours(scores, few, coarse.train_x.shape[1])}


def _trial(model: nn.Module, module: Module, digits: Digits, out: Path, remark: Remark) -> Trial:
    compiled = compile_model(module, BOARD, out, weights="coded")
    for note in compiled.notes:
        remark(f"{compiled.name}: {note}")
    if compiled.weights > MODEL_BYTES:
        raise NoError(
            f"{compiled.name} takes {compiled.weights:,} bytes, more than {MODEL_BYTES:,}; please report this"
        )
    x, _ = to_batch(digits.test_x, module.infer.inputs[0], "digits")
    require_same(compiled, "native", x)
    with open_executor(open_folder(compiled.path), "native") as executor:
        right = accuracy(executor.run([x])[0], digits.test_y)
    return Trial(accuracy(predict(model, digits.test_x), digits.test_y), right, compiled, *on_chip(compiled, x, remark))


def _figures(trials: Sequence[Trial]) -> Figures:
    compiled, accuracies = [t.compiled for t in trials], tuple(t.accuracy for t in trials)
    agreed = [t.identical for t in trials if t.identical is not None]
    return Figures(
        accuracy=accuracies,
        model_bytes=max(c.weights for c in compiled),
        accuracy_float=tuple(t.accuracy_float for t in trials),
        flash=max((c.flash for c in compiled if c.flash is not None), default=None),
        ram=max(c.ram for c in compiled),
        milliseconds=max((t.milliseconds for t in trials if t.milliseconds is not None), default=None),
        identical=all(agreed) if agreed else None,
    )


def _neighbours(scores: Sequence[float], count: int, pixels: int) -> Figures:
    """A byte for each pixel of what is kept, and one for its class."""
    return Figures(tuple(map(float, scores)), count * (pixels + 1))


def _prototypes(digits: Digits, count: int, seed: int) -> float:
    """The accuracy of the nearest of `count` centres of k-means, as many for each class."""
    x = digits.train_x
    shares = (count // 2, count - count // 2)
    centres = [
        KMeans(share, n_init=4, random_state=seed).fit(x[digits.train_y == label]).cluster_centers_
        for label, share in enumerate(shares)
    ]
    nearest = KNeighborsClassifier(1).fit(np.concatenate(centres), np.repeat([0, 1], shares))
    return float(nearest.score(digits.test_x, digits.test_y))


def _recipe(recipe: Recipe, seed: int, quick: bool) -> Recipe:
    return replace(recipe, seed=seed, epochs=QUICK_EPOCHS if quick else recipe.epochs)
