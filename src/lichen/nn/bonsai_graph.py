"""From a trained Bonsai to a graph: an int8 projection, and the tree over what it gives."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lichen.errors import InputError
from lichen.ir.module import Constant, Function, Module, Operation, Value, constant
from lichen.ir.types import DType, Quantisation, TensorType
from lichen.ir.verify import verify
from lichen.nn.bonsai import Bonsai

_LARGEST = 127


def bonsai_module(model: Bonsai, calibration: NDArray[Any], name: str = "bonsai", projection_bits: int = 8) -> Module:
    """The graph of `model`, whose input is int8 and whose scores are int32.

    `calibration` are samples (n, …) whose ranges give the scales of the input and of the projected numbers. Each matrix becomes int8 with one
    scale, so zeros stay zeros and `weights="coded"` passes over them. With fewer `projection_bits`, 2 or more, the projection has fewer different
    values, which take fewer bits when they are coded. Raises `InputError` for a tree of a single leaf, samples that tell no range, and
    bits that are none.
    """
    if model.depth < 1:
        raise InputError("a tree of a single leaf is a dense layer; give it a depth of at least 1")
    if not 2 <= projection_bits <= 8:
        raise InputError(f"a projection of {projection_bits} bits is none; give 2 to 8")
    x = np.asarray(calibration, np.float32)
    x = x.reshape(len(x), math.prod(x.shape[1:]))
    if x.shape[1] != model.projection.shape[1]:
        raise InputError(f"samples of {x.shape[1]} numbers do not calibrate a tree over {model.projection.shape[1]}")
    with torch.no_grad():
        projected = torch.from_numpy(x) @ model.projection.T + model.offset
    low, high = min(float(x.min(initial=0)), 0.0), max(float(x.max(initial=0)), 0.0)
    reach = float(projected.abs().max()) if len(x) else 0.0
    if not (np.isfinite(reach) and reach > 0 and high > low):
        raise InputError(
            "the calibration samples are all zero, or not finite; give samples as the network will see them"
        )
    step = float(np.float32((high - low) / 255))
    given = Quantisation.per_tensor(step, int(np.clip(round(-128 - low / step), -128, 127)))
    size, classes = projected.shape[1], model.classes
    source = Value("x", TensorType((1, x.shape[1]), DType.INT8, given))
    z = Value("z", TensorType((1, size), DType.INT8, Quantisation.per_tensor(float(np.float32(reach / _LARGEST)), 0)))
    projection = _int8(model.projection, "projection", projection_bits)
    weights, gates, branches = (
        _int8(part, role)
        for part, role in ((model.weights, "weights"), (model.gates, "gates"), (model.branches, "branches"))
    )
    scores = Value("scores", TensorType((1, classes), DType.INT32, _product(z, weights)))
    operations = [
        Operation("dense", [source, projection, _offset(model, source, projection)], [z], {"activation": "none"}),
        Operation("bonsai_tree", [z, weights, gates, branches], [scores], {"sigma": float(model.sigma)}),
    ]
    module = Module(name, {"infer": Function("infer", [source], operations, [scores])})
    verify(module)
    return module


def _int8(part: torch.Tensor, role: str, bits: int = 8) -> Constant:
    """A matrix of so many bits with one scale; of zeros only, if it has nothing else."""
    data, largest = part.detach().numpy(), 2 ** (bits - 1) - 1
    scale = float(np.float32(max(np.abs(data).max(initial=0), 1e-6) / largest))
    stored = np.clip(np.rint(data / scale), -largest, largest).astype(np.int8)
    return constant(role, stored, TensorType(stored.shape, DType.INT8, Quantisation.per_tensor(scale, 0)))


def _offset(model: Bonsai, source: Value, projection: Constant) -> Constant:
    """The offset of the projected numbers, in the scale of their sums."""
    q = _product(source, projection)
    stored = np.rint(model.offset.detach().double().numpy() / q.scale[0]).astype(np.int32)
    return constant("offset", stored, TensorType(stored.shape, DType.INT32, q))


def _product(x: Value, weights: Constant) -> Quantisation:
    """Of sums of products."""
    return Quantisation.per_tensor(float(np.float32(x.type.scale * weights.type.scale)), 0)
