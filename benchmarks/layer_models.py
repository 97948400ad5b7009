"""Models of one int8 layer, in the shapes that networks for microcontrollers have: random weights, sane scales."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

import lichen.ops  # noqa: F401  registers the operators
from lichen.ir.module import Array, Attribute, Constant, Function, Module, Operation, Value, constant
from lichen.ir.types import DType, Quantisation, TensorType
from lichen.ir.verify import verify

_AFTER_RELU = -128  # the zero point of what has passed a relu
_SCALE, _WEIGHT_SCALE = 0.02, 0.005


def layers() -> Iterator[tuple[str, Module]]:
    """Name and model of every layer of the benchmark; the kind stands first in the name, then kernel, stride and shapes."""
    for size, inputs, outputs in (
        *(
            (48, 8, 16),
            (24, 32, 32),
            (12, 64, 64),
            (6, 128, 128),
            (3, 256, 256),
        ),  # a MobileNet, from the first layers to the last
        *((20, 16, 48), (20, 48, 16), (10, 144, 40), (5, 480, 96)),  # expansions and projections
        (10, 13, 21),
    ):
        yield f"conv 1x1 {size}x{size} {inputs}->{outputs}", convolution(size, size, inputs, outputs, 1, 1)
    yield "conv 1x1 s2 32x32 16->32", convolution(32, 32, 16, 32, 1, 2)
    for size, inputs, outputs, stride in (
        *((32, 16, 16, 1), (16, 32, 32, 1), (8, 64, 64, 1)),
        *((32, 16, 32, 2), (16, 32, 64, 2), (12, 7, 9, 1)),
    ):
        name = f"conv 3x3 s{stride} {size}x{size} {inputs}->{outputs}"
        yield name, convolution(size, size, inputs, outputs, 3, stride)
    for height, width, inputs, outputs, kernel, stride in (
        *((32, 32, 3, 16, 3, 1), (96, 96, 3, 8, 3, 2), (80, 80, 3, 16, 3, 2)),
        *((32, 32, 1, 8, 3, 1), (28, 28, 1, 8, 5, 2)),
    ):
        name = f"conv first {kernel}x{kernel} s{stride} {height}x{width} {inputs}->{outputs}"
        yield name, convolution(height, width, inputs, outputs, kernel, stride, zero=-1)
    yield "conv first 10x4 s2 49x10 1->64", convolution(49, 10, 1, 64, (10, 4), 2, zero=-1)
    yield "conv 5x5 s1 12x12 8->16", convolution(12, 12, 8, 16, 5, 1)
    yield "conv 1x7 s1 16x16 12->12", convolution(16, 16, 12, 12, (1, 7), 1)
    for kernel, stride, size, channels in (
        *((3, 1, 48, 8), (3, 1, 24, 32), (3, 1, 12, 64), (3, 1, 6, 256), (3, 1, 10, 13)),
        *((3, 2, 48, 16), (3, 2, 24, 64), (5, 1, 10, 120), (5, 2, 20, 24), (5, 1, 10, 13)),
        *((7, 1, 10, 144), (7, 2, 20, 48), (7, 1, 5, 288)),
    ):
        yield (
            f"depthwise {kernel}x{kernel} s{stride} {size}x{size}x{channels}",
            depthwise(size, channels, kernel, stride),
        )
    yield "depthwise 3x3 s1 12x12 8->16", depthwise(12, 8, 3, 1, multiplier=2)
    for inputs, outputs in ((64, 10), (256, 2), (640, 128), (128, 128), (33, 17)):
        yield f"dense {inputs}->{outputs}", dense(inputs, outputs)
    for shape in ((16, 16, 32), (10, 10, 40), (7, 7, 13)):
        yield f"add {'x'.join(map(str, shape))}", binary("add", shape)
    yield "add, scales of calibration, 16x16x32", binary("add", (16, 16, 32), (0.04713927, 0.03129441, 0.06173365))
    yield "mul 16x16x32", binary("mul", (16, 16, 32))
    for kernel, stride, size, channels in (
        (2, 2, 16, 32),
        (3, 1, 16, 32),
        (8, 8, 8, 64),
        (3, 3, 3, 256),
        (3, 2, 15, 13),
    ):
        yield (
            f"avg_pool {kernel}x{kernel} s{stride} {size}x{size}x{channels}",
            pool("avg_pool2d", size, channels, kernel, stride),
        )
    for kernel, stride, size, channels in ((2, 2, 16, 32), (3, 2, 15, 32), (2, 2, 14, 13)):
        yield (
            f"max_pool {kernel}x{kernel} s{stride} {size}x{size}x{channels}",
            pool("max_pool2d", size, channels, kernel, stride),
        )
    yield "mean 8x8x64", mean(8, 64)
    yield "mean 5x5x160", mean(5, 160)
    for size in (10, 1000):
        yield f"softmax {size}", softmax(size)


def convolution(
    height: int,
    width: int,
    inputs: int,
    outputs: int,
    kernel: int | tuple[int, int],
    stride: int,
    zero: int = _AFTER_RELU,
) -> Module:
    """Padded as TensorFlow's `SAME`, with relu; images come with zero point `zero`."""
    kernel_h, kernel_w = (kernel, kernel) if isinstance(kernel, int) else kernel
    x, (y, attributes) = (
        _int8("x", (1, height, width, inputs), zero),
        _window((height, width), (kernel_h, kernel_w), stride),
    )
    weights = _weights((outputs, kernel_h, kernel_w, inputs), 0)
    return _with_weights(
        "conv2d", x, weights, (1, *y, outputs), kernel_h * kernel_w * inputs, attributes | {"dilation": (1, 1)}
    )


def depthwise(size: int, channels: int, kernel: int, stride: int, multiplier: int = 1) -> Module:
    """Padded as TensorFlow's `SAME`, with relu."""
    x, (y, attributes) = (
        _int8("x", (1, size, size, channels), _AFTER_RELU),
        _window((size, size), (kernel, kernel), stride),
    )
    weights = _weights((1, kernel, kernel, channels * multiplier), 3)
    result = (1, *y, channels * multiplier)
    return _with_weights("depthwise_conv2d", x, weights, result, kernel * kernel, attributes | {"dilation": (1, 1)})


def dense(inputs: int, outputs: int) -> Module:
    """With relu; one scale for all weights, as CMSIS-NN 4.0.0 has it."""
    x = _int8("x", (1, inputs), _AFTER_RELU)
    return _with_weights("dense", x, _weights((outputs, inputs), None), (1, outputs), inputs, {"activation": "relu"})


def perceptron(*sizes: int) -> Module:
    """Dense layers one behind the other, `sizes[0]` inputs; relu behind all but the last."""
    first = x = _int8("x", (1, sizes[0]), _AFTER_RELU)
    operations = []
    for index, (inputs, outputs) in enumerate(pairwise(sizes)):
        last = index == len(sizes) - 2
        weights = _weights((outputs, inputs), None, f"weights{index}")
        bias = constant(f"bias{index}", _random((outputs,), 2000), TensorType((outputs,), DType.INT32))
        y = _int8(f"y{index}", (1, outputs), 0 if last else _AFTER_RELU, _scale_of_sums(x.type.scale, inputs))
        operations.append(Operation("dense", [x, weights, bias], [y], {"activation": "none" if last else "relu"}))
        x = y
    module = Module("perceptron", {"infer": Function("infer", [first], operations, [x])})
    verify(module)
    return module


def binary(kind: str, shape: tuple[int, ...], scales: tuple[float, float, float] | None = None) -> Module:
    """Of two operands of different scales, without an activation. Sums of round `scales`, as those by default, have many ties, and no kernel
    that rounds once.
    """
    a, b, y = scales or (_SCALE, 0.017, 0.03 if kind == "add" else 0.017 * _SCALE * 100)
    operands = [_int8("a", (1, *shape), 3, a), _int8("b", (1, *shape), -5, b)]
    return _module(Operation(kind, operands, [_int8("y", (1, *shape), 4, y)], {"activation": "none"}))


def pool(kind: str, size: int, channels: int, kernel: int, stride: int) -> Module:
    """Without padding."""
    x, out = _int8("x", (1, size, size, channels), _AFTER_RELU), (size - kernel) // stride + 1
    y = _int8("y", (1, out, out, channels), _AFTER_RELU)
    attributes = {"kernel": (kernel, kernel), "stride": (stride, stride), "padding": (0, 0, 0, 0), "activation": "none"}
    return _module(Operation(kind, [x], [y], dict(attributes)))


def mean(size: int, channels: int) -> Module:
    """Over height and width."""
    x, y = _int8("x", (1, size, size, channels), _AFTER_RELU), _int8("y", (1, 1, 1, channels), _AFTER_RELU, 0.015)
    return _module(Operation("mean", [x], [y], {"axes": (1, 2), "keep_dims": True}))


def softmax(size: int) -> Module:
    """Of logits with a scale of 0.1."""
    x, y = _int8("x", (1, size), 10, 0.1), _int8("y", (1, size), -128, 1 / 256)
    return _module(Operation("softmax", [x], [y], {"beta": 1.0}))


def _window(
    size: tuple[int, int], kernel: tuple[int, int], stride: int
) -> tuple[tuple[int, int], dict[str, Attribute]]:
    """Height and width of the result, and the attributes."""
    out = tuple(-(-n // stride) for n in size)
    total = [max((o - 1) * stride + k - n, 0) for o, k, n in zip(out, kernel, size, strict=True)]
    padding = tuple(part for t in total for part in (t // 2, t - t // 2))
    return (out[0], out[1]), {"stride": (stride, stride), "padding": padding, "activation": "relu"}


def _with_weights(
    kind: str, x: Value, weights: Constant, shape: tuple[int, ...], taps: int, attributes: dict[str, Attribute]
) -> Module:
    """With a bias; few results are clamped."""
    bias = constant("bias", _random((shape[-1],), 2000), TensorType((shape[-1],), DType.INT32))
    y = _int8("y", shape, _AFTER_RELU, _scale_of_sums(_SCALE, taps))
    return _module(Operation(kind, [x, weights, bias], [y], attributes))


def _scale_of_sums(scale: float, taps: int) -> float:
    """Of sums of `taps` products with inputs of that scale, for which int8 is just large enough."""
    return scale * _WEIGHT_SCALE * math.sqrt(taps) * 74 * 74 / 64


def _weights(shape: tuple[int, ...], axis: int | None, name: str = "weights") -> Constant:
    count = 1 if axis is None else shape[axis]
    scales = tuple(_WEIGHT_SCALE * (1 + 0.5 * i / count) for i in range(count))
    return constant(name, _random(shape, 127), TensorType(shape, DType.INT8, Quantisation(scales, (0,) * count, axis)))


def _random(shape: tuple[int, ...], most: int) -> Array:
    return np.random.default_rng(0).integers(-most, most + 1, shape)


def _int8(name: str, shape: tuple[int, ...], zero: int, scale: float = _SCALE) -> Value:
    return Value(name, TensorType(shape, DType.INT8, Quantisation.per_tensor(float(np.float32(scale)), zero)))


def _module(operation: Operation) -> Module:
    inputs = [value for value in operation.operands if not isinstance(value, Constant)]
    module = Module("layer", {"infer": Function("infer", inputs, [operation], operation.results)})
    verify(module)
    return module
