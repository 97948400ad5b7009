"""What tests of compression share: a folder with a tiny network, data it can learn, and a recipe of all kinds of stages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import lichen
from lichen.errors import InputError

NETWORK = """
import torch
from torch import nn

def cnn(width=8, classes=3):
    return nn.Sequential(
        nn.Conv2d(1, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
        nn.Conv2d(width, 2 * width, 3, 2, 1, bias=False), nn.BatchNorm2d(2 * width), nn.ReLU(),
        nn.Flatten(), nn.Linear(8 * width, classes),
    )

def broken():
    model = cnn()
    with torch.no_grad():
        model[0].weight[0] = float("nan")
    return model

class Twice(nn.Sequential):
    def forward(self, x):
        y = self[0](x)
        return self[2](self[1](y) + y)

def twice():
    return Twice(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Sequential(nn.Flatten(), nn.Linear(144, 3)))

def number():
    return 5
"""

RECIPE = """\
board = "nano33ble"
seed = 3

[data]
file = "data.npz"

[model]
name = "tiny:cnn"

[training]
epochs = 2
batch_size = 16

[teacher]
name = "tiny:cnn"
arguments = { width = 12 }
[teacher.training]
epochs = 2
batch_size = 16

[[stage]]
kind = "distil"
training = { epochs = 1, batch_size = 16 }

[[stage]]
kind = "prune"
macs = 0.6
steps = 2
teacher = true
training = { epochs = 1, batch_size = 16 }

[[stage]]
kind = "quantise_aware"
weight_bits = 5
sensitivity = 30
training = { epochs = 1, batch_size = 16, learning_rate = 1e-3 }

[[stage]]
kind = "code"
"""

STAGES = ("float32", "int8", "distil", "prune", "quantise_aware", "code")


def three_patterns(n: int = 150, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Images (n, 8, 8, 1) of noise with a bright row, column or diagonal; the classes."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 3
    x = rng.normal(0, 0.3, (n, 8, 8, 1)).astype(np.float32)
    for image, label in zip(x, y, strict=True):
        place = rng.integers(8)
        if label == 0:
            image[place] += 1
        elif label == 1:
            image[:, place] += 1
        else:
            image[np.arange(8), np.arange(8)] += 1
    return x, y


def kitchen(folder: Path, recipe: str = RECIPE, **arrays: NDArray[Any]) -> Path:
    """Writes network, data and recipe into `folder`; the recipe's path. `arrays` take the place of those of `three_patterns`."""
    x, y = three_patterns()
    (folder / "tiny.py").write_text(NETWORK)
    np.savez(folder / "data.npz", **{"x": x, "y": y, **arrays})
    (folder / "recipe.toml").write_text(recipe)
    return folder / "recipe.toml"


def assert_refused(folder: Path, old: str, new: str, message: str) -> None:
    """The recipe with `new` in place of `old` is refused with one sentence that begins as `message`; nothing is trained, nothing is written."""
    assert old in RECIPE
    path = kitchen(folder, RECIPE.replace(old, new, 1))

    def never(step: object) -> None:
        raise AssertionError("it trains")

    with pytest.raises(InputError, match=rf"recipe\.toml{message}") as caught:
        lichen.compress(path, folder / "out", watch=never)
    assert caught.value.exit_code == 2 and "\n" not in str(caught.value)
    assert not (folder / "out").exists()
