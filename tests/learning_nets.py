"""Small float32 networks that learn, and their twins in PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

import lichen.ops  # noqa: F401  registers the operators
from lichen.ir.module import Array, Function, Module, Operation, Value, constant
from lichen.ir.types import DType, TensorType


def f32(*shape: int) -> TensorType:
    """A float32 type."""
    return TensorType(shape, DType.FLOAT32)


def mlp(sizes: Sequence[int], seed: int = 0, end: str = "none", activation: str = "relu", name: str = "mlp") -> Module:
    """A dense network; `end` is an operator on its last result, or `none`."""
    rng = np.random.default_rng(seed)
    x = value = Value("x", f32(1, sizes[0]))
    operations = []
    for i, (inputs, outputs) in enumerate(pairwise(sizes)):
        bound = 1 / np.sqrt(inputs)
        weights = constant(f"w{i}", rng.uniform(-bound, bound, (outputs, inputs)), f32(outputs, inputs))
        bias = constant(f"b{i}", rng.uniform(-bound, bound, outputs), f32(outputs))
        result = Value(f"y{i}", f32(1, outputs))
        fused = activation if i + 2 < len(sizes) else "none"
        operations.append(Operation("dense", [value, weights, bias], [result], {"activation": fused}))
        value = result
    if end != "none":
        result = Value("end", value.type)
        operations.append(Operation(end, [value], [result], {"beta": 1.0} if end == "softmax" else {}))
        value = result
    return Module(name, {"infer": Function("infer", [x], operations, [value])})


def samples(module: Module, count: int, seed: int = 0) -> list[list[Array]]:
    """Random inputs of `learn`: normal, labels within the classes."""
    rng = np.random.default_rng(seed)
    learn = module.functions["learn"]
    classes = module.infer.outputs[0].type.elements
    found = []
    for _ in range(count):
        found.append(
            [
                rng.normal(size=v.type.shape).astype(np.float32)
                if v.type.dtype.is_float
                else rng.integers(0, classes, v.type.shape).astype(np.int32)
                for v in learn.inputs
            ]
        )
    return found
