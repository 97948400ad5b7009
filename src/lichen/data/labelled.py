"""Samples with classes, in a part to train on and a part to test on: known data sets by their names, or a file of arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lichen.data.cifar10 import load_cifar10
from lichen.data.digits import load_digits
from lichen.data.published import content_digest
from lichen.errors import InputError


@dataclass(frozen=True)
class Labelled:
    """Samples (n, …), float32, images NHWC; their classes (n,), int64, from 0."""

    train_x: NDArray[np.float32]
    train_y: NDArray[np.int64]
    test_x: NDArray[np.float32]
    test_y: NDArray[np.int64]

    @property
    def classes(self) -> int:
        """One more than the largest class."""
        return int(max(self.train_y.max(), self.test_y.max())) + 1

    @property
    def digest(self) -> str:
        """SHA-256 over all of it."""
        return content_digest(vars(self))


def _digits() -> Labelled:
    return Labelled(**vars(load_digits()))


def _cifar10() -> Labelled:
    return Labelled(**vars(load_cifar10()))


KNOWN: Mapping[str, Callable[[], Labelled]] = {"digits": _digits, "cifar10": _cifar10}
"""Data sets by name; each raises what its loader raises."""


def read_labelled(path: Path, test: float = 0.2, seed: int = 0) -> Labelled:
    """The arrays `x` (n, …) and `y` (n) of an `.npz` file, with `test_x` and `test_y` where it has them.

    Without them a share `test` of each class, drawn with `seed`, is set aside. Raises `InputError` for a file that is missing or something else, and what
    `check_labelled` raises.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, TypeError, AttributeError) as error:
        raise InputError(f"{path} cannot be read as arrays; write it with numpy.savez(…, x=…, y=…)") from error
    missing = [name for name in ("x", "y") if name not in arrays]
    if missing or ("test_x" in arrays) != ("test_y" in arrays):
        have = ", ".join(arrays) or "none"
        raise InputError(f"{path} needs arrays x and y, and test_x and test_y or neither; it has {have}")
    x, y = _samples(arrays["x"], str(path)), _classes(arrays["y"], str(path))
    _require_equal(x, y, str(path))
    if "test_x" in arrays:
        parts = x, y, _samples(arrays["test_x"], str(path)), _classes(arrays["test_y"], str(path))
        _require_equal(parts[2], parts[3], str(path))
    else:
        held = _stratified(y, test, np.random.default_rng(seed))
        parts = x[~held], y[~held], x[held], y[held]
    found = Labelled(*parts)
    check_labelled(found, str(path))
    return found


def check_labelled(data: Labelled, where: str) -> None:
    """Raises `InputError`, beginning with `where`, for an empty part, parts of one class, samples that are no finite numbers or of two shapes."""
    for part, x, y in (("training", data.train_x, data.train_y), ("test", data.test_x, data.test_y)):
        if len(x) == 0:
            raise InputError(f"{where}: the {part} part is empty; give more samples, or another share for the test")
        if not np.isfinite(x).all():
            place = int(np.flatnonzero(~np.isfinite(x.reshape(len(x), -1)).all(axis=1))[0])
            raise InputError(
                f"{where}: sample {place} of the {part} part holds a value that is not a finite number; remove it or mend it"
            )
        if y.min() < 0:
            raise InputError(f"{where}: the {part} part has a class below 0; number them from 0")
    if data.train_x.shape[1:] != data.test_x.shape[1:]:
        raise InputError(
            f"{where}: samples are {list(data.train_x.shape[1:])} to train on and {list(data.test_x.shape[1:])} to test on"
        )
    present = np.unique(data.train_y)
    if len(present) < 2:
        raise InputError(
            f"{where}: all samples are of class {present[0]}; a network learns nothing from one class, add another"
        )


def _samples(array: NDArray[Any], where: str) -> NDArray[np.float32]:
    if array.ndim < 2 or array.dtype.kind not in "fiu":
        raise InputError(f"{where}: x is {array.dtype} {list(array.shape)} where numbers (n, …) are expected")
    return array.astype(np.float32)


def _classes(array: NDArray[Any], where: str) -> NDArray[np.int64]:
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise InputError(f"{where}: y is {array.dtype} {list(array.shape)} where whole numbers (n,) are expected")
    return array.astype(np.int64)


def _require_equal(x: NDArray[Any], y: NDArray[Any], where: str) -> None:
    if len(x) != len(y):
        raise InputError(f"{where}: there are {len(x)} samples and {len(y)} classes; give one class for each")


def _stratified(y: NDArray[np.int64], share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Marks about `share` of each class, at least one where there are two."""
    held = np.zeros(len(y), np.bool_)
    for label in np.unique(y):
        members = rng.permutation(np.flatnonzero(y == label))
        count = min(max(round(share * len(members)), 1), len(members) - 1)
        held[members[:count]] = True
    return held
