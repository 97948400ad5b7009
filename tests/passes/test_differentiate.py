"""Differentiation against central finite differences, for each operator with a gradient rule."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lichen.ops  # noqa: F401  registers the operators
from lichen.errors import UnsupportedError
from lichen.ir.interpret import Interpreter
from lichen.ir.module import Attribute, Function, Module, Namer, Operation, State, Value, constant
from lichen.ir.verify import verify
from lichen.passes import run_passes
from lichen.passes.differentiate import differentiate
from lichen.passes.gradient_descent import GradientDescent
from native_check import assert_native_equals_interpreter
from ops_oracle import f32

WINDOW: dict[str, Attribute] = {"stride": (2, 1), "padding": (1, 0, 1, 1)}
IMAGE = (1, 5, 4, 3)
RELU6: dict[str, Attribute] = {"activation": "relu6"}
NONE: dict[str, Attribute] = {"activation": "none"}

CASES: dict[str, tuple[str, list[Any], list[tuple[int, ...]], dict[str, Attribute]]] = {
    # name: kind, operands ("h" the computed tensor, a shape for a constant, "$" + shape for a parameter), results, attributes
    "dense": ("dense", ["h", ("$", 2, 15), ("$", 2)], [(4, 2)], {"activation": "relu"}),
    "frozen_dense": ("dense", ["h", (2, 15), (2,)], [(4, 2)], NONE),
    "conv2d": ("conv2d", ["h", ("$", 2, 3, 2, 3), ("$", 2)], [(1, 2, 5, 2)], WINDOW | {"dilation": (1, 1)} | RELU6),
    "frozen_conv2d": ("conv2d", ["h", (2, 2, 2, 3)], [(1, 2, 4, 2)], WINDOW | {"dilation": (2, 2)} | NONE),
    "depthwise_conv2d": (
        "depthwise_conv2d",
        ["h", ("$", 1, 3, 2, 6), ("$", 6)],
        [(1, 2, 5, 6)],
        WINDOW | {"dilation": (1, 1)} | NONE,
    ),
    "frozen_depthwise": ("depthwise_conv2d", ["h", (1, 2, 2, 3)], [(1, 2, 4, 3)], WINDOW | {"dilation": (2, 2)} | NONE),
    "avg_pool2d": ("avg_pool2d", ["h"], [(1, 2, 5, 3)], WINDOW | {"kernel": (3, 2)} | NONE),
    "max_pool2d": ("max_pool2d", ["h"], [(1, 2, 5, 3)], WINDOW | {"kernel": (3, 2)} | {"activation": "relu"}),
    "add": ("add", ["h", (1, 1, 4, 1)], [IMAGE], RELU6),
    "add_to_itself": ("add", ["h", "h"], [IMAGE], NONE),
    "broadcast_add": ("add", ["h", (2, 1, 1, 1, 3)], [(2, *IMAGE)], NONE),
    "sub": ("sub", [(3,), "h"], [IMAGE], NONE),
    "mul": ("mul", ["h", (4, 3)], [IMAGE], NONE),
    "square": ("mul", ["h", "h"], [IMAGE], NONE),
    "mean": ("mean", ["h"], [(1, 3)], {"axes": (1, 2), "keep_dims": False}),
    "mean_of_channels": ("mean", ["h"], [(1, 5, 4, 1)], {"axes": (3,), "keep_dims": True}),
    "pad": ("pad", ["h"], [(1, 7, 4, 4)], {"before": (0, 1, 0, 0), "after": (0, 1, 0, 1), "value": 0.5}),
    "reshape": ("reshape", ["h"], [(60,)], {}),
    "transpose": ("transpose", ["h"], [(3, 1, 4, 5)], {"permutation": (3, 0, 2, 1)}),
    "strided_slice": (
        "strided_slice",
        ["h"],
        [(1, 3, 2, 3)],
        {"begin": (0, 1, 2, 0), "end": (1, 4, 4, 3), "strides": (1, 1, 1, 1)},
    ),
    "concat": ("concat", [(1, 2, 4, 3), "h", "h"], [(1, 12, 4, 3)], {"axis": 1}),
    "split": ("split", ["h"], [(1, 5, 1, 3), (1, 5, 3, 3)], {"axis": 2}),
    "softmax": ("softmax", ["h"], [IMAGE], {"beta": 1.5}),
    "relu": ("relu", ["h"], [IMAGE], {}),
    "relu6": ("relu6", ["h"], [IMAGE], {}),
    "leaky_relu": ("leaky_relu", ["h"], [IMAGE], {"alpha": 0.25}),
    "hard_swish": ("hard_swish", ["h"], [IMAGE], {}),
    "logistic": ("logistic", ["h"], [IMAGE], {}),
    "tanh": ("tanh", ["h"], [IMAGE], {}),
}


def module_of(name: str, rate: float = 1.0) -> Module:
    """`infer` is the loss of one operation on what a learned dense layer gives; `learn` makes a step of the given rate."""
    kind, wanted, shapes, attributes = CASES[name]
    rng = np.random.default_rng(sum(map(ord, name)))

    def parameter(label: str, shape: tuple[int, ...], scale: float = 1.0) -> State:
        return State(label, f32(*shape), (rng.normal(size=shape) * scale).astype(np.float32))

    x, target = Value("x", f32(1, 3)), Value("target", f32(1, sum(int(np.prod(s)) for s in shapes)))
    h, flat_h = Value("h", f32(*IMAGE)), Value("flat_h", f32(1, 60))
    parameters = [parameter("front", (60, 3))]
    operands: list[Value] = []
    for i, operand in enumerate(wanted):
        if operand == "h":
            operands.append(h)
        elif operand[0] == "$":
            parameters.append(parameter(f"p{i}", operand[1:], 0.5))
            operands.append(parameters[-1])
        else:
            operands.append(constant(f"c{i}", rng.normal(size=operand) * 0.5, f32(*operand)))
    results = [Value(f"y{i}", f32(*shape)) for i, shape in enumerate(shapes)]
    flat = [Value(f"flat{i}", f32(1, v.type.elements)) for i, v in enumerate(results)]
    joined, loss = Value("joined", target.type), Value("loss", f32(1))
    operations = [
        Operation("dense", [x, parameters[0]], [flat_h], dict(NONE)),
        Operation("reshape", [flat_h], [h]),
        Operation(kind, operands, results, dict(attributes)),
        *(Operation("reshape", [y], [f]) for y, f in zip(results, flat, strict=True)),
        Operation("concat", list(flat), [joined], {"axis": 1}),
        Operation("mean_squared_error", [joined, target], [loss]),
    ]
    infer = Function("infer", [x, target], operations, [loss])
    learn = Function("learn", list(infer.inputs), list(operations), [loss])
    module = Module("m", {"infer": infer, "learn": learn})
    differentiate(module, learn, loss, parameters, GradientDescent(rate))
    verify(module)
    return module


@pytest.mark.parametrize("name", CASES)
def test_gradient_is_the_slope_of_the_loss(name: str) -> None:
    """Along random directions, the derivative of the loss is the gradient that one step of rate 1 took off the parameters."""
    module = module_of(name)
    rng = np.random.default_rng(1)
    sample = [rng.normal(size=v.type.shape).astype(np.float32) for v in module.infer.inputs]
    learn = Interpreter(module, "learn")
    before = {s: v.copy() for s, v in learn.state.items() if s.name != "learning_rate"}
    learn.run(sample)
    gradient = {s: before[s].astype(np.float64) - learn.state[s] for s in before}
    infer = Interpreter(module)

    def loss(step: float, direction: dict[State, Any]) -> float:
        for s, start in before.items():
            infer.state[s] = (start + step * direction[s]).astype(np.float32)
        return float(infer.run(sample)[0][0])

    for _ in range(4):
        direction = {s: rng.choice([-1.0, 1.0], s.type.shape) for s in before}
        slope = sum(float((gradient[s] * direction[s]).sum()) for s in before)
        size = sum(float(np.abs(gradient[s]).sum()) for s in before)
        step = 1e-3
        measured = (loss(step, direction) - loss(-step, direction)) / (2 * step)
        assert abs(measured - slope) <= 5e-3 * size + 1e-3, (measured, slope)


def test_gradients_in_c_equal_the_interpreter() -> None:
    """All of them, planned and emitted, before and after the rewrites."""
    modules = [module_of(name, rate=0.01) for name in CASES]
    rewritten = [module_of(name, rate=0.01) for name in CASES]
    for module in rewritten:
        run_passes(module)
    assert_native_equals_interpreter([*modules, *rewritten], rtol=1e-3, atol=1e-4, function="learn")


def test_what_cannot_be_differentiated_says_so() -> None:
    """An operator without a rule, and a parameter that two layers share."""
    module = module_of("relu")
    learn = Function("other", module.infer.inputs, list(module.infer.operations), module.infer.outputs)
    (relu,) = (op for op in learn.operations if op.kind == "relu")
    relu.kind, relu.attributes = "transposed_relu", {}
    front = next(s for s in module.states() if s.name == "front")
    with pytest.raises(UnsupportedError, match="transposed_relu"):
        differentiate(module, learn, learn.outputs[0], [front], GradientDescent())
    dense = learn.operations[0]
    again = Operation("dense", list(dense.operands), [Value(Namer()("more"), dense.results[0].type)], dict(NONE))
    learn.operations.insert(1, again)
    with pytest.raises(UnsupportedError, match="front cannot be learned: several operations use it"):
        differentiate(module, learn, learn.outputs[0], [front], GradientDescent())
