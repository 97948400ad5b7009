"""Hypothesis strategies for modules of one operation that learning uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from hypothesis import strategies as st

import strategies as windows
from lichen.ir.module import Attribute, Constant, Function, Module, Operation, State, Value
from lichen.ir.types import DType, TensorType
from lichen.ir.verify import verify
from lichen.ops.fixed_point import ACTIVATIONS
from ops_oracle import f32, fixed, one_op

sizes = st.one_of(st.integers(1, 9), st.integers(1, 30))  # loops go by four and by eight


def state(name: str, type_: TensorType, seed: int = 0) -> State:
    """State with random initial values."""
    data = np.random.default_rng(seed).normal(size=type_.shape).astype(type_.dtype.numpy)
    return State(name, type_, data)


def in_state(
    kind: str,
    target: TensorType,
    sources: Sequence[TensorType | State],
    attributes: Mapping[str, Attribute] | None = None,
) -> Module:
    """One update of state by inputs, the coefficients last, and what the state is afterwards."""
    parameter, after = state("parameter", target), Value("after", target)
    operands = [s if isinstance(s, State) else Value(f"x{i}", s) for i, s in enumerate([*sources, f32(2)])]
    operations = [
        Operation(kind, [parameter, *operands], [], dict(attributes or {})),
        Operation("read_state", [parameter], [after]),
    ]
    inputs = [v for v in operands if not isinstance(v, State)]
    module = Module("one", {"infer": Function("infer", inputs, operations, [after])})
    verify(module)
    return module


@st.composite
def updates(draw: st.DrawFn) -> Module:
    """An update by a gradient in the arena, of one or several rows, or in state."""
    count, rows = draw(sizes), draw(st.integers(1, 3))
    gradient = f32(rows, count)
    return in_state("update", f32(count), [state("gradient", gradient, 1) if draw(st.booleans()) else gradient])


@st.composite
def dense_updates(draw: st.DrawFn) -> Module:
    """An update of weights."""
    batch, inputs, outputs = draw(st.integers(1, 3)), draw(sizes), draw(sizes)
    return in_state("dense_update", f32(outputs, inputs), [f32(batch, outputs), f32(batch, inputs)])


def with_weights(
    kind: str,
    gradient: TensorType,
    weights: TensorType,
    result: TensorType,
    learned: bool,
    attributes: Mapping[str, Attribute],
) -> Module:
    """A gradient of an input through weights that lie in flash, or in state if they are `learned`."""
    held = state("w", weights)
    operand = held if learned else fixed(held.initial, weights, "w")
    x, y = Value("x", gradient), Value("y", result)
    module = Module(
        "one", {"infer": Function("infer", [x], [Operation(kind, [x, operand], [y], dict(attributes))], [y])}
    )
    verify(module)
    return module


@st.composite
def dense_grad_inputs(draw: st.DrawFn) -> Module:
    """The gradient of a dense layer's input."""
    batch, inputs, outputs = draw(st.integers(1, 3)), draw(sizes), draw(sizes)
    types = f32(batch, outputs), f32(outputs, inputs), f32(batch, inputs)
    return with_weights("dense_grad_input", *types, draw(st.booleans()), {})


@st.composite
def element_gradients(draw: st.DrawFn, kind: str) -> Module:
    """The gradient of an operator that maps each element."""
    type_ = f32(draw(sizes), draw(sizes))
    attributes: dict[str, Attribute] = {}
    if kind == "leaky_relu_grad":
        attributes["alpha"] = draw(st.floats(-2, 2, width=32))
    if kind == "limit_grad":
        attributes["activation"] = draw(st.sampled_from(sorted(ACTIVATIONS)))
    return one_op(kind, [type_, type_], [type_], attributes)


@st.composite
def differences(draw: st.DrawFn) -> Module:
    """A difference, or its sign."""
    type_ = f32(draw(sizes), draw(sizes))
    attributes = {"factor": draw(st.floats(-3, 3, width=32)), "sign": draw(st.booleans())}
    return one_op("difference", [type_, type_], [type_], attributes)


@st.composite
def losses(draw: st.DrawFn, kind: str) -> Module:
    """A loss, with the probabilities if it gives them."""
    type_ = f32(1, draw(sizes))
    results = [f32(1), type_] if kind == "sigmoid_cross_entropy" else [f32(1)]
    return one_op(kind, [type_, type_], results)


@st.composite
def softmax_losses(draw: st.DrawFn, kind: str) -> Module:
    """The softmax cross-entropy or its gradient, for a label that is mostly no class: inputs are any int32."""
    type_, label = f32(1, draw(sizes)), TensorType((1,), DType.INT32)
    if draw(st.booleans()):
        known = fixed(np.array([draw(st.integers(0, type_.elements - 1))]), label, "label")
        return _labelled(kind, type_, known)
    results = [f32(1), type_] if kind == "softmax_cross_entropy" else [type_]
    return one_op(kind, [type_, label], results)


def _labelled(kind: str, type_: TensorType, label: Constant) -> Module:
    """The label comes from state, so that it is a class."""
    x, read = Value("x", type_), Value("label", label.type)
    results = [Value("loss", f32(1)), Value("y", type_)] if kind == "softmax_cross_entropy" else [Value("y", type_)]
    operations = [
        Operation("read_state", [State("held", label.type, label.data)], [read]),
        Operation(kind, [x, read], results),
    ]
    module = Module("one", {"infer": Function("infer", [x], operations, results)})
    verify(module)
    return module


@st.composite
def sgd_modules(draw: st.DrawFn, kind: str) -> Module:
    """Coefficients of gradient descent."""
    rate = State("rate", f32(1), np.array([draw(st.floats(0, 1, width=32))], np.float32))
    loss = Value("loss", f32(1))
    attributes: dict[str, Attribute] = {"weight_decay": draw(st.floats(0, 1, width=32))}
    operands: list[Value] = [rate, loss]
    names = ["step"]
    if kind == "sgd_batch":
        attributes |= {"batch": draw(st.integers(1, 3)), "momentum": draw(st.sampled_from([0.0, 0.5, 0.875]))}
        operands.insert(0, State("count", TensorType((1,), DType.INT32), np.zeros(1, np.int32)))
        names = ["accumulate", "decay", "step"]
    results = [Value(name, f32(2)) for name in names]
    function = Function("infer", [loss], [Operation(kind, operands, results, attributes)], results)
    module = Module("one", {"infer": function})
    verify(module)
    return module


@st.composite
def layer_updates(draw: st.DrawFn, kind: str) -> Module:
    """An update of a convolution's weights."""
    weights, x, y, attributes = draw(layers(kind.startswith("depthwise")))
    return in_state(kind, weights, [y, x], attributes)


@st.composite
def layer_grad_inputs(draw: st.DrawFn, kind: str) -> Module:
    """The gradient of a convolution's input."""
    weights, x, y, attributes = draw(layers(kind.startswith("depthwise")))
    return with_weights(kind, y, weights, x, draw(st.booleans()), attributes)


@st.composite
def layers(draw: st.DrawFn, depthwise: bool) -> tuple[TensorType, TensorType, TensorType, dict[str, Attribute]]:
    """Types of weights, input and result of a convolution, and its attributes."""
    geometry = draw(windows.geometries())
    channels = draw(st.one_of(st.integers(1, 6), st.integers(1, 19)))
    outputs = channels * draw(st.sampled_from([1, 1, 2, 3])) if depthwise else draw(st.integers(1, 9))
    shape = (1, *geometry["kernel"], outputs) if depthwise else (outputs, *geometry["kernel"], channels)
    x, y = f32(1, *geometry["input"], channels), f32(1, *geometry["output"], outputs)
    return f32(*shape), x, y, geometry["attributes"]


@st.composite
def pool_gradients(draw: st.DrawFn, kind: str) -> Module:
    """The gradient of a pooling."""
    geometry = draw(windows.geometries(dilated=False))
    channels = draw(st.integers(1, 6))
    x, y = f32(1, *geometry["input"], channels), f32(1, *geometry["output"], channels)
    attributes = geometry["attributes"] | {"kernel": geometry["kernel"]}
    del attributes["dilation"]
    return one_op(kind, [y] if kind == "avg_pool2d_grad" else [x, y], [x], attributes)


@st.composite
def broadcasts(draw: st.DrawFn, kind: str) -> Module:
    """A sum over what was broadcast, or a broadcast."""
    wide = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)))
    narrow = tuple(draw(st.sampled_from([1, n])) for n in wide)[draw(st.integers(0, len(wide))) :]
    source, result = (wide, narrow) if kind == "sum_to" else (narrow, wide)
    return one_op(kind, [f32(*source)], [f32(*result)], {"factor": draw(st.floats(-3, 3, width=32))})


@st.composite
def softmax_gradients(draw: st.DrawFn) -> Module:
    """The gradient of a softmax by rows."""
    type_ = f32(draw(sizes), draw(sizes))
    return one_op("softmax_grad", [type_, type_], [type_], {"beta": draw(st.sampled_from([0.5, 1.0]))})


EVERY: dict[str, st.SearchStrategy[Module]] = {
    "update": updates(),
    "dense_update": dense_updates(),
    "dense_grad_input": dense_grad_inputs(),
    **{
        kind: element_gradients(kind)
        for kind in ("limit_grad", "logistic_grad", "tanh_grad", "leaky_relu_grad", "hard_swish_grad")
    },
    **{kind: layer_updates(kind) for kind in ("conv2d_update", "depthwise_conv2d_update")},
    **{kind: layer_grad_inputs(kind) for kind in ("conv2d_grad_input", "depthwise_conv2d_grad_input")},
    **{kind: pool_gradients(kind) for kind in ("avg_pool2d_grad", "max_pool2d_grad")},
    **{kind: broadcasts(kind) for kind in ("sum_to", "spread")},
    "softmax_grad": softmax_gradients(),
    "difference": differences(),
    **{kind: losses(kind) for kind in ("mean_squared_error", "mean_absolute_error", "sigmoid_cross_entropy")},
    **{kind: softmax_losses(kind) for kind in ("softmax_cross_entropy", "softmax_cross_entropy_grad")},
    **{kind: sgd_modules(kind) for kind in ("sgd", "sgd_batch")},
}
"""By the kind of the operator."""
