"""Samples and labels as people keep them, as the function `learn` takes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lichen.device.validate import load_graph
from lichen.errors import InputError
from lichen.ir.module import Array, Function, Module
from lichen.ir.samples import load_samples
from lichen.targets.folder import ModelFolder


def load_lessons(folder: ModelFolder, data: Path, labels: Path) -> list[Array]:
    """The inputs of `learn`, each `(n, *shape)`, from `.npy` files of samples and of labels or targets.

    Raises `InputError` for files that do not fit, labels that are no class, and a model that does not learn.
    """
    learn = learning_function(load_graph(folder))
    inputs, _ = load_samples(data, learn.inputs[:-1])
    try:
        found = np.load(labels, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{labels} is not a NumPy file of numbers; write one with numpy.save") from error
    if not isinstance(found, np.ndarray):
        raise InputError(f"{labels} does not hold one array of numbers")
    return [*inputs, to_targets(found, learn, len(inputs[0]), str(labels))]


def learning_function(module: Module) -> Function:
    """The function `learn`. Raises `InputError` for a model without one."""
    learn = module.functions.get("learn")
    if learn is None:
        raise InputError(f"{module.name} does not learn; compile it with --learn")
    return learn


def to_targets(found: Array, learn: Function, samples: int, where: str) -> Array:
    """Labels `(n, 1)` int32, or targets `(n, *shape)` float32, for so many samples. Raises `InputError`, which begins with `where`."""
    type_ = learn.inputs[-1].type
    if found.ndim == 0 or found.dtype.kind not in "iufb":
        raise InputError(f"{where} does not hold one array of numbers")
    if found.size != len(found) * type_.elements:
        raise InputError(f"{where} holds {list(found.shape)}, but each sample has {type_.elements} targets")
    if len(found) != samples:
        raise InputError(f"{where} holds {len(found)} labels for {samples} samples")
    if type_.dtype.is_float:
        if not np.isfinite(found).all():
            raise InputError(f"{where} holds a target that is not a finite number")
        return found.astype(np.float32).reshape(-1, *type_.shape)
    least, most = _labels(learn)
    wrong = found[(found < least) | (found > most) | (found != np.floor(found))]
    if wrong.size:
        raise InputError(f"{where} holds label {wrong.ravel()[0]}, but classes are whole numbers from 0 to {most}")
    return found.astype(np.int32).reshape(-1, *type_.shape)


def _labels(learn: Function) -> tuple[int, int]:
    """The least and the largest label: those of the model's classes, or any where a class map finds them neurons. Below 0 is none."""
    if any(op.kind == "assign_class" for op in learn.consumers(learn.inputs[-1])):
        return -(2**31), 2**31 - 1
    return 0, learn.outputs[1].type.elements - 1
