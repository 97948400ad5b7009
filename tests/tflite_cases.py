"""Small `.tflite` models that between them use every operator the reader knows. Weights are random but fixed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tflite_builder import Graph, Tensor, build

Model = Graph | tuple[Graph, ...]
"""What runs and, if it has variables, what initialises them."""

GRAPHS: dict[str, Callable[[], tuple[Graph, ...]]] = {}
CASES: dict[str, Callable[[], bytes]] = {}
"""Name of the case -> the graphs, and the file."""


def case(make: Callable[[], Model]) -> Callable[[], Model]:
    """Decorator: enters a model under the name of its function."""

    def graphs() -> tuple[Graph, ...]:
        model = make()
        return model if isinstance(model, tuple) else (model,)

    GRAPHS[make.__name__] = graphs
    CASES[make.__name__] = lambda: build(*graphs())
    return make


def _random(*shape: int, dtype: str = "int8", low: int = -127, high: int = 128) -> np.ndarray:
    return np.random.default_rng(sum(shape)).integers(low, high, shape).astype(dtype)


def _floats(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(0, 0.5, shape).astype(np.float32)


def one(
    builtin: str,
    shape: tuple[int, ...],
    result: tuple[int, ...],
    options: Mapping[str, Any] | None = None,
    constants: Callable[[Graph], list[Tensor]] = lambda graph: [],
    quantised: tuple[tuple[float, int], tuple[float, int]] = ((0.1, 5), (0.1, 5)),
) -> Graph:
    """One operator on one int8 input; `quantised` holds scale and zero point of input and result."""
    graph = Graph()
    x = graph.input(shape, "int8", *quantised[0], name="x")
    y = graph.op(builtin, [x, *constants(graph)], result, "int8", *quantised[1], name="y", options=options)
    return graph.returns(y)


def floats(
    builtin: str,
    shape: tuple[int, ...],
    result: tuple[int, ...],
    options: Mapping[str, Any] | None = None,
    constants: Callable[[Graph], list[Tensor]] = lambda graph: [],
) -> Graph:
    """One operator on one float32 input."""
    graph = Graph()
    x = graph.input(shape, "float32", name="x")
    y = graph.op(builtin, [x, *constants(graph)], result, "float32", name="y", options=options)
    return graph.returns(y)


def _weights(shape: tuple[int, ...], axis: int, bias: bool = True) -> Callable[[Graph], list[Tensor]]:
    channels = shape[axis]
    scales = np.linspace(0.005, 0.02, channels).astype(np.float32)

    def constants(graph: Graph) -> list[Tensor]:
        weights = graph.constant(_random(*shape), scales, axis=axis, name="w")
        products = np.float32(0.1) * scales
        data = _random(channels, dtype="int32", low=-2000, high=2000)
        return [weights, graph.constant(data, products, name="b")] if bias else [weights]

    return constants


def _ints(*values: Any, dtype: str = "int32") -> Callable[[Graph], list[Tensor]]:
    return lambda graph: [graph.constant(np.array(value, dtype)) for value in values]


@case
def conv2d_same_strided() -> Model:
    options = {"Padding": "SAME", "StrideH": 2, "StrideW": 1, "FusedActivationFunction": "RELU6"}
    return one("CONV_2D", (1, 6, 5, 3), (1, 3, 5, 4), options, _weights((4, 3, 2, 3), 0), ((0.1, 5), (0.05, -128)))


@case
def conv2d_valid_dilated() -> Model:
    options = {"Padding": "VALID", "StrideH": 1, "StrideW": 1, "DilationHFactor": 2, "DilationWFactor": 1}
    return one(
        "CONV_2D", (1, 6, 5, 3), (1, 2, 3, 5), options, _weights((5, 3, 3, 3), 0, bias=False), ((0.1, 5), (0.3, 2))
    )


@case
def conv2d_float() -> Model:
    options = {"Padding": "SAME", "StrideH": 2, "StrideW": 2, "FusedActivationFunction": "RELU"}

    def constants(graph: Graph) -> list[Tensor]:
        return [graph.constant(_floats(4, 3, 3, 2)), graph.constant(_floats(4))]

    return floats("CONV_2D", (1, 5, 6, 2), (1, 3, 3, 4), options, constants)


@case
def depthwise_conv2d() -> Model:
    options = {"Padding": "SAME", "StrideH": 2, "StrideW": 2, "DepthMultiplier": 2, "FusedActivationFunction": "RELU"}
    return one(
        "DEPTHWISE_CONV_2D", (1, 5, 5, 3), (1, 3, 3, 6), options, _weights((1, 3, 3, 6), 3), ((0.1, 5), (0.2, -20))
    )


@case
def fully_connected() -> Model:
    def constants(graph: Graph) -> list[Tensor]:
        bias = graph.constant(_random(3, dtype="int32"), np.float32(0.1) * np.float32(0.02))
        return [graph.constant(_random(3, 8), 0.02), bias]

    return one("FULLY_CONNECTED", (1, 8), (1, 3), {}, constants, ((0.1, 5), (0.3, 1)))


@case
def average_pool2d() -> Model:
    options = {"Padding": "SAME", "StrideH": 2, "StrideW": 2, "FilterHeight": 3, "FilterWidth": 2}
    return one("AVERAGE_POOL_2D", (1, 5, 5, 3), (1, 3, 3, 3), options)


@case
def max_pool2d() -> Model:
    options = {"Padding": "VALID", "StrideH": 2, "StrideW": 1, "FilterHeight": 2, "FilterWidth": 3}
    return one("MAX_POOL_2D", (1, 5, 5, 3), (1, 2, 3, 3), options)


def _binary(builtin: str, other: tuple[int, ...]) -> Model:
    graph = Graph()
    a, b = graph.input((1, 4, 4, 3), "int8", 0.1, 5), graph.input(other, "int8", 0.05, -9)
    options = {"FusedActivationFunction": "RELU"}
    return graph.returns(graph.op(builtin, [a, b], (1, 4, 4, 3), "int8", 0.12, 3, options=options))


@case
def add() -> Model:
    return _binary("ADD", (1, 4, 4, 3))


@case
def sub_broadcast() -> Model:
    return _binary("SUB", (1, 1, 1, 3))


@case
def mul_broadcast() -> Model:
    return _binary("MUL", (1, 4, 1, 1))


@case
def relu() -> Model:
    return one("RELU", (1, 7), (1, 7), quantised=((0.1, 5), (0.07, -128)))


@case
def relu6() -> Model:
    return one("RELU6", (1, 7), (1, 7), quantised=((0.1, 5), (0.03, -128)))


@case
def leaky_relu() -> Model:
    return one("LEAKY_RELU", (1, 7), (1, 7), {"Alpha": 0.3})


@case
def hard_swish() -> Model:
    return one("HARD_SWISH", (1, 7), (1, 7))


@case
def logistic() -> Model:
    return one("LOGISTIC", (1, 7), (1, 7), quantised=((0.1, 5), (1 / 256, -128)))


@case
def tanh() -> Model:
    return one("TANH", (1, 7), (1, 7), quantised=((0.1, 5), (1 / 128, 0)))


@case
def softmax() -> Model:
    return one("SOFTMAX", (1, 7), (1, 7), {"Beta": 1.0}, quantised=((0.1, 5), (1 / 256, -128)))


@case
def requantise() -> Model:
    return one("QUANTIZE", (1, 7), (1, 7), quantised=((0.1, 5), (0.17, -3)))


@case
def quantise_and_dequantise() -> Model:
    graph = Graph()
    x = graph.input((1, 6), "float32")
    q = graph.op("QUANTIZE", [x], (1, 6), "int8", 0.02, 3)
    return graph.returns(graph.op("DEQUANTIZE", [q], (1, 6), "float32"))


@case
def dequantised_weights() -> Model:
    """Weights stored in int8 for a layer in float32."""
    graph = Graph()
    x = graph.input((1, 4), "float32")
    w = graph.op("DEQUANTIZE", [graph.constant(_random(2, 4), 0.02, 3)], (2, 4), "float32")
    return graph.returns(graph.op("FULLY_CONNECTED", [x, w], (1, 2), "float32"))


@case
def reshape() -> Model:
    return one("RESHAPE", (1, 2, 6), (3, 4), constants=_ints([3, -1]))


@case
def reshape_by_option() -> Model:
    return one("RESHAPE", (1, 2, 6), (3, 4), {"NewShape": [3, 4]})


@case
def squeeze() -> Model:
    return one("SQUEEZE", (1, 1, 5, 1), (1, 5), {"SqueezeDims": [1, -1]})


@case
def expand_dims() -> Model:
    return one("EXPAND_DIMS", (2, 5), (2, 5, 1), constants=_ints(-1))


@case
def concatenation() -> Model:
    graph = Graph()
    a, b = graph.input((1, 2, 3), "int8", 0.1, 5), graph.input((1, 2, 2), "int8", 0.1, 5)
    return graph.returns(graph.op("CONCATENATION", [a, b], (1, 2, 5), "int8", 0.1, 5, options={"Axis": -1}))


@case
def split() -> Model:
    graph = Graph()
    axis, x = graph.constant(np.array(1, np.int32)), graph.input((1, 6, 2), "int8", 0.1, 5)
    parts = [graph.tensor((1, 2, 2), "int8", 0.1, 5) for _ in range(3)]
    graph.add("SPLIT", [axis, x], parts, {"NumSplits": 3})
    return graph.returns(*parts)


@case
def strided_slice_backwards() -> Model:
    options = {"EndMask": 0b10, "BeginMask": 0b01}
    return one("STRIDED_SLICE", (3, 6), (2, 3), options, _ints([1, 4], [2, 0], [1, -2]))


@case
def strided_slice_shrinking() -> Model:
    return one("STRIDED_SLICE", (1, 4, 3), (1, 3), {"ShrinkAxisMask": 0b10}, _ints([0, -1, 0], [1, 0, 3], [1, 1, 1]))


@case
def transpose() -> Model:
    return one("TRANSPOSE", (1, 2, 3, 4), (1, 4, 2, 3), constants=_ints([0, 3, 1, 2]))


@case
def pad() -> Model:
    return one("PAD", (1, 3, 2, 2), (1, 6, 3, 2), constants=_ints([[0, 0], [1, 2], [0, 1], [0, 0]]))


@case
def pad_v2() -> Model:
    def constants(graph: Graph) -> list[Tensor]:
        return [*_ints([[0, 0], [1, 0], [0, 2], [0, 0]])(graph), graph.constant(np.array([-77], np.int8), 0.1, 5)]

    return one("PADV2", (1, 3, 2, 2), (1, 4, 4, 2), constants=constants)


@case
def mean() -> Model:
    return one("MEAN", (1, 4, 3, 2), (1, 2), {"KeepDims": False}, _ints([1, -2]), ((0.1, 5), (0.07, -3)))


@case
def resize_nearest_neighbor() -> Model:
    return one("RESIZE_NEAREST_NEIGHBOR", (1, 2, 3, 2), (1, 5, 6, 2), {"HalfPixelCenters": True}, _ints([5, 6]))


@case
def streaming() -> Model:
    """A window of the last three frames, which starts with two frames that the initialisation gives."""
    graph, start = Graph(), Graph("start")
    start.add("ASSIGN_VARIABLE", [_handle(start, "window"), start.constant(_random(1, 2, 4), 0.1, 5)], [])
    graph.add("CALL_ONCE", [], [], {"InitSubgraphIndex": 1})
    x, handle = graph.input((1, 1, 4), "int8", 0.1, 5), _handle(graph, "window")
    seen = graph.op("READ_VARIABLE", [handle], (1, 2, 4), "int8", 0.1, 5)
    both = graph.op("CONCATENATION", [seen, x], (1, 3, 4), "int8", 0.1, 5, options={"Axis": 1})
    newest = graph.op(
        "STRIDED_SLICE", [both, *_ints([0, 1, 0], [1, 3, 4], [1, 1, 1])(graph)], (1, 2, 4), "int8", 0.1, 5
    )
    graph.add("ASSIGN_VARIABLE", [handle, newest], [])
    return graph.returns(both), start


@case
def accumulator_without_start() -> Model:
    """A variable that nothing initialises, assigned after it was read and read again."""
    graph = Graph()
    x, handle = graph.input((1, 4), "int8", 0.1, 5), _handle(graph, "sum")
    before = graph.op("READ_VARIABLE", [handle], (1, 4), "int8", 0.1, 5)
    total = graph.op("ADD", [before, x], (1, 4), "int8", 0.1, 5)
    graph.add("ASSIGN_VARIABLE", [handle, total], [])
    after = graph.op("READ_VARIABLE", [handle], (1, 4), "int8", 0.1, 5)
    return graph.returns(before, after)


def _handle(graph: Graph, name: str) -> Tensor:
    return graph.op("VAR_HANDLE", [], (), "resource", options={"SharedName": name, "Container": ""})
