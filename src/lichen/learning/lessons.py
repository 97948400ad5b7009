"""Samples and labels as people keep them, as the function `learn` takes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lichen.errors import InputError
from lichen.ir.module import Array, Function
from lichen.ir.parse import parse_module
from lichen.ir.samples import load_samples
from lichen.targets.folder import ModelFolder


def load_lessons(folder: ModelFolder, data: Path, labels: Path) -> list[Array]:
    """The inputs of `learn`, each `(n, *shape)`, from `.npy` files of samples and of labels or targets.

    Raises `InputError` for files that do not fit, labels that are no class, and a model that does not learn.
    """
    module = parse_module((folder.path / f"{folder.name}.lichen").read_text("utf-8"))
    learn = module.functions.get("learn")
    if learn is None:
        raise InputError(f"{folder.name} does not learn; compile it with --learn")
    inputs, _ = load_samples(data, learn.inputs[:-1])
    target = _targets(labels, learn)
    if len(target) != len(inputs[0]):
        raise InputError(f"{labels} holds {len(target)} labels for {len(inputs[0])} samples in {data}")
    return [*inputs, target]


def _targets(path: Path, learn: Function) -> Array:
    """Labels `(n, 1)` int32, or targets `(n, *shape)` float32."""
    type_ = learn.inputs[-1].type
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path} is not a NumPy file of numbers; write one with numpy.save") from error
    if not isinstance(found, np.ndarray) or found.ndim == 0 or found.dtype.kind not in "iufb":
        raise InputError(f"{path} does not hold one array of numbers")
    if found.size != len(found) * type_.elements:
        raise InputError(f"{path} holds {list(found.shape)}, but each sample has {type_.elements} targets")
    if type_.dtype.is_float:
        if not np.isfinite(found).all():
            raise InputError(f"{path} holds a target that is not a finite number")
        return found.astype(np.float32).reshape(-1, *type_.shape)
    classes = learn.outputs[-1].type.elements
    wrong = found[(found < 0) | (found >= classes) | (found != np.floor(found))]
    if wrong.size:
        raise InputError(
            f"{path} holds label {wrong.ravel()[0]}, but classes are whole numbers from 0 to {classes - 1}"
        )
    return found.astype(np.int32).reshape(-1, *type_.shape)
