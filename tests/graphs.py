"""Small graphs that several tests build on."""

from __future__ import annotations

import numpy as np

import lichen.ops  # noqa: F401  registers the operators
from lichen.ir.module import Array, Function, Module, Operation, State, Value, constant
from lichen.ir.types import DType, Quantisation, TensorType


def int8(shape: tuple[int, ...], scale: float = 0.05, zero_point: int = 0) -> TensorType:
    """An int8 tensor type with one scale."""
    return TensorType(shape, DType.INT8, Quantisation.per_tensor(scale, zero_point))


def float32(shape: tuple[int, ...]) -> TensorType:
    """A float32 tensor type."""
    return TensorType(shape, DType.FLOAT32)


def conv_module(name: str = "toy", seed: int = 0, channels: int = 5) -> Module:
    """A 3x3 convolution of a 6x7x3 image, with relu."""
    rng = np.random.default_rng(seed)
    x = Value("x", int8((1, 6, 7, 3), 0.05, -3))
    scales = Quantisation((0.01,) * channels, (0,) * channels, 0)
    weights = constant(
        "w", rng.integers(-127, 128, (channels, 3, 3, 3)), TensorType((channels, 3, 3, 3), DType.INT8, scales)
    )
    bias = constant("b", rng.integers(-500, 500, (channels,)), TensorType((channels,), DType.INT32))
    y = Value("y", int8((1, 6, 7, channels), 0.2, 4))
    attributes = {"stride": (1, 1), "padding": (1, 1, 1, 1), "dilation": (1, 1), "activation": "relu"}
    operation = Operation("conv2d", [x, weights, bias], [y], dict(attributes))
    return Module(name, {"infer": Function("infer", [x], [operation], [y])})


def streaming_module(size: int = 8) -> Module:
    """The output is the sum of this input and the last: state, two inputs of an operator, no weights."""
    type_ = int8((1, size), 0.1, -5)
    x, last, y = Value("x", type_), Value("last", type_), Value("y", int8((1, size), 0.2, 0))
    state = State("memory", type_, np.full((1, size), -5, np.int8))
    operations = [
        Operation("read_state", [state], [last]),
        Operation("add", [x, last], [y], {"activation": "none"}),
        Operation("write_state", [state, x], []),
    ]
    return Module("streaming", {"infer": Function("infer", [x], operations, [y])})


def deep_module(name: str = "deep") -> Module:
    """Two 3x3 convolutions of a 16x16 image of one channel: to eight channels and back, so that the one between is the largest."""
    x, between, y = (Value(n, int8((1, 16, 16, c), 0.1)) for n, c in (("x", 1), ("between", 8), ("y", 1)))
    operations = []
    for source, result in ((x, between), (between, y)):
        shape = (result.type.shape[3], 3, 3, source.type.shape[3])
        weights = constant(f"{result.name}_w", np.ones(shape, np.int8), int8(shape, 0.01))
        attributes = {"stride": (1, 1), "padding": (1, 1, 1, 1), "dilation": (1, 1), "activation": "none"}
        operations.append(Operation("conv2d", [source, weights], [result], dict(attributes)))
    return Module(name, {"infer": Function("infer", [x], operations, [y])})


def random_array(type_: TensorType, seed: int = 0) -> Array:
    """Random bytes of an integer type."""
    low, high = type_.dtype.range
    return np.random.default_rng(seed).integers(low, high + 1, type_.shape).astype(type_.dtype.numpy)
