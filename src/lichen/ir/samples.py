"""Arrays of samples as people keep them, and as a model takes and gives them.

A batch is `(n, *shape)` of a tensor type, where a leading 1 of the shape (the batch of one) may be left out; `float32` data of a
quantised tensor is quantised on the way in and comes back as `float32`. Outputs have the leading 1 if the inputs had it. Images and
signals may come in PyTorch's order, channels first, where their shape tells that they do.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lichen.errors import InputError
from lichen.ir.module import Array, Value
from lichen.ir.types import TensorType
from lichen.whole_file import whole_file


@dataclass(frozen=True)
class Form:
    """How inputs were given, which is how outputs are given back."""

    as_float: bool
    """float32 for a quantised tensor."""

    batch_of_one: bool
    """With the leading 1 of the tensors' shape."""


def quantise(real: Array, type_: TensorType) -> Array:
    """Real numbers as stored integers: halves away from zero, clamped to the range of the type, as TensorFlow Lite Micro does."""
    low, high = type_.dtype.range
    scaled = np.asarray(real, np.float32) / np.float32(type_.scale)
    rounded = np.copysign(np.floor(np.abs(scaled) + np.float32(0.5)), scaled)
    stored: Array = np.clip(rounded + type_.zero_point, low, high).astype(type_.dtype.numpy)
    return stored


def dequantise(stored: Array, type_: TensorType) -> Array:
    """Stored integers as float32."""
    return ((stored.astype(np.float32) - np.float32(type_.zero_point)) * np.float32(type_.scale)).astype(np.float32)


def load_samples(path: Path, inputs: list[Value]) -> tuple[list[Array], Form]:
    """The batches in a `.npy` (a model of one input) or `.npz` (arrays named after the inputs), and their form.

    Raises `InputError` for a file or shape that does not fit the model.
    """
    try:
        loaded = np.load(path, allow_pickle=False)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or 'it is not a NumPy file'}") from error
    except (ValueError, EOFError, SyntaxError) as error:
        raise InputError(f"{path} is not a NumPy file of numbers; write one with numpy.save") from error
    if isinstance(loaded, np.ndarray):
        arrays = [loaded]
        if len(inputs) != 1:
            names = ", ".join(v.name for v in inputs)
            raise InputError(f"the model has {len(inputs)} inputs; give {path.stem}.npz with arrays named {names}")
    else:
        missing = [v.name for v in inputs if v.name not in loaded.files]
        if missing:
            raise InputError(f"{path} has no array named {missing[0]}; it has {', '.join(loaded.files) or 'none'}")
        arrays = [loaded[v.name] for v in inputs]
    batches = [to_batch(array, value, str(path)) for array, value in zip(arrays, inputs, strict=True)]
    if len({len(batch) for batch, _ in batches}) != 1:
        raise InputError(f"the arrays in {path} hold different numbers of samples")
    form = Form(
        as_float=any(was_float for _, was_float in batches),
        batch_of_one=all(array.ndim == batch.ndim for array, (batch, _) in zip(arrays, batches, strict=True)),
    )
    return [batch for batch, _ in batches], form


def to_batch(array: Array, value: Value, where: str) -> tuple[Array, bool]:
    """`array` as `(n, *shape)` in the type of `value`, and whether it was quantised on the way."""
    type_ = value.type
    without_batch = type_.shape[1:] if type_.shape[:1] == (1,) else type_.shape
    array = _channels_last(array, without_batch)
    if array.ndim == 0 or len(array) == 0 or array.shape[1:] not in (type_.shape, without_batch):
        expected = ", ".join(["n", *map(str, without_batch)])
        raise InputError(f"{where}: input '{value.name}' is {list(array.shape)} where ({expected}) is expected")
    batch = array.reshape(len(array), *type_.shape)
    if batch.dtype == type_.dtype.numpy:
        return batch, False
    if batch.dtype.kind == "f" and type_.quantisation is not None:
        if not np.isfinite(batch).all():
            raise InputError(f"{where}: input '{value.name}' holds a value that is not a finite number")
        return quantise(batch, type_), True
    if batch.dtype.kind == "f" and type_.dtype.is_float:
        return batch.astype(np.float32), False
    raise InputError(f"{where}: input '{value.name}' is {array.dtype} where {type_.dtype.numpy} or float32 is expected")


def _channels_last(array: Array, shape: tuple[int, ...]) -> Array:
    """`array` as `(n, *shape)` if it is a batch of images (C, H, W) for a tensor (H, W, C), or of signals (C, W) for one (1, W, C)."""
    if len(shape) != 3 or array.shape[1:] == shape:
        return array
    height, width, channels = shape
    if array.shape[1:] == (channels, height, width):
        return array.transpose(0, 2, 3, 1)
    if height == 1 and array.shape[1:] == (channels, width):
        return array.transpose(0, 2, 1)[:, None]
    return array


def save_samples(path: Path, outputs: list[Value], batches: list[Array], form: Form) -> None:
    """Writes one output as `.npy`, several as `.npz` under their names. Nothing half-written stays behind."""
    arrays = [in_form(batch, value.type, form) for value, batch in zip(outputs, batches, strict=True)]
    with whole_file(path) as file:
        if len(arrays) == 1:
            np.save(file, arrays[0])
        else:
            np.savez(file, allow_pickle=False, **dict(zip((v.name for v in outputs), arrays, strict=True)))


def in_form(batch: Array, type_: TensorType, form: Form) -> Array:
    """A batch `(n, *shape)` as the user is to see it."""
    if form.as_float and type_.quantisation is not None:
        batch = dequantise(batch, type_)
    if type_.shape[:1] == (1,) and not form.batch_of_one:
        batch = batch.reshape(len(batch), *type_.shape[1:])
    return batch
