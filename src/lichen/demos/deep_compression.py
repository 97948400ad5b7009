"""The chain of Deep Compression in PyTorch: a teacher, a float network, pruned, with shared weights.

Epochs, densities and learning rates were chosen on the validation part of the digits.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lichen.compression.distillation import Distillation, distillation_loss
from lichen.compression.magnitude_pruning import CubicSchedule, prune_weights
from lichen.compression.weight_sharing import settle_weights, share_weights
from lichen.data.digits import Digits
from lichen.demos.progress import ProgressBar
from lichen.nn import zoo
from lichen.nn.ensemble import Ensemble
from lichen.nn.train import Loss, Recipe, fit, predict


@dataclass(frozen=True)
class Chain:
    """A network, the recipe of its float form, and what becomes of it: `density` are the shares of weights that are left, by layer."""

    name: str
    title: str
    board: str
    build: Callable[[int], nn.Module]
    recipe: Recipe
    density: Mapping[str, float]
    clusters: int
    pruning: Recipe
    tuning: Recipe

    def quick(self) -> Chain:
        """To see it work, not to reach its figures."""
        return replace(self, recipe=_fewer(self.recipe))


LENET_300_100 = Chain(
    name="lenet_300_100",
    title="LeNet-300-100",
    board="uno",
    build=zoo.lenet_300_100,
    recipe=zoo.LENET_300_100,
    density={"1": 0.05, "3": 0.1, "5": 0.4},
    clusters=15,
    pruning=Recipe(epochs=12, batch_size=128, learning_rate=2e-3),
    tuning=Recipe(epochs=2, batch_size=128, learning_rate=5e-4),
)
LENET_5 = Chain(
    name="lenet_5",
    title="LeNet-5",
    board="nano33ble",
    build=zoo.lenet_5,
    recipe=zoo.LENET_5,
    density={"0": 0.6, "3": 0.15, "7": 0.06, "9": 0.25},
    clusters=15,
    pruning=Recipe(epochs=2, batch_size=64, learning_rate=2e-3),
    tuning=Recipe(epochs=1, batch_size=128, learning_rate=5e-4),
)
CHAINS = (LENET_300_100, LENET_5)

PRUNING = CubicSchedule(begin=0.0, end=0.5)
TEACHERS = 3
TEACHER = Recipe(epochs=15, learning_rate=5e-3, shift=2)


@dataclass(frozen=True)
class Networks:
    """One network after each stage; all in floating point. The weights of `shared` are those that int8 will have, but for the scale."""

    float32: nn.Module
    pruned: nn.Module
    shared: nn.Module


@dataclass(frozen=True)
class Lessons:
    """What a teacher says of each image (n, 28, 28, 1): `loss` is for `fit`, which is given the numbers of the images as their classes."""

    images: NDArray[np.float32]
    numbers: NDArray[np.int64]
    loss: Loss


def teach(digits: Digits, bar: ProgressBar, quick: bool = False) -> Lessons:
    """Trains the teacher on the training part and asks it about each digit, moved by up to a pixel each way; not moved if `quick`."""
    recipe = _fewer(TEACHER) if quick else TEACHER
    members = []
    for seed in range(1 if quick else TEACHERS):
        with bar(f"teacher {seed + 1}: training", recipe.epochs) as progress:
            model = _teacher(seed)
            members.append(fit(model, digits.train_x, digits.train_y, replace(recipe, seed=seed), _steps(progress)))
    images = digits.train_x if quick else _moved(digits.train_x)
    classes = torch.from_numpy(np.tile(digits.train_y, len(images) // len(digits.train_x)))
    answers = torch.from_numpy(predict(Ensemble(members).eval(), images))
    # The teacher has answered already: what it is shown is the number of an image.
    taught = distillation_loss(nn.Embedding.from_pretrained(answers), Distillation())  # type: ignore[no-untyped-call]

    def loss(batch: torch.Tensor, logits: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
        return taught(numbers, logits, classes[numbers])

    return Lessons(images, np.arange(len(images)), loss)


def compress(chain: Chain, seed: int, digits: Digits, lessons: Lessons, bar: ProgressBar) -> Networks:
    """Trains the network of `seed` on the classes, then prunes and shares it as the teacher wants it."""
    what = f"{chain.title}, seed {seed}"
    with bar(f"{what}: training", chain.recipe.epochs) as progress:
        recipe = replace(chain.recipe, seed=seed)
        float32 = fit(chain.build(seed), digits.train_x, digits.train_y, recipe, _steps(progress))
    images, numbers, loss = lessons.images, lessons.numbers, lessons.loss
    with bar(f"{what}: pruning", chain.pruning.epochs) as progress:
        pruned, recipe = copy.deepcopy(float32), replace(chain.pruning, seed=seed)
        prune_weights(pruned, images, numbers, chain.density, recipe, _steps(progress), loss, PRUNING)
    with bar(f"{what}: sharing", chain.tuning.epochs) as progress:
        shared = share_weights(copy.deepcopy(pruned), chain.clusters)
        fit(shared, images, numbers, replace(chain.tuning, seed=seed), _steps(progress), loss)
    return Networks(float32, pruned, settle_weights(shared))


def _teacher(seed: int) -> nn.Module:
    """A convolutional network with batch normalisation and dropout, of about 47,000 weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            *(nn.Conv2d(1, 32, 5, 2, 2, bias=False), nn.BatchNorm2d(32), nn.ReLU()),
            *(nn.Conv2d(32, 32, 3, 1, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(32, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Dropout(0.3), nn.Linear(576, 10)),
        )


def _moved(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Images (n, H, W, 1) in all nine places that are at most a pixel away: (9 n, H, W, 1)."""
    height, width = images.shape[1:3]
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    places = [padded[:, y : y + height, x : x + width] for y in range(3) for x in range(3)]
    return np.concatenate(places)


def _fewer(recipe: Recipe) -> Recipe:
    return replace(recipe, epochs=max(recipe.epochs // 5, 1))


def _steps(progress: Callable[[int], None]) -> Callable[[Any], None]:
    return lambda _: progress(1)
