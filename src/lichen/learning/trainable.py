"""From a model that infers to one that learns as well: which constants become state, and the function `learn`."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from lichen.errors import InputError, UnsupportedError
from lichen.ir.module import Attribute, Constant, Function, Module, Namer, Operation, State, Value
from lichen.ir.parse import parse_module
from lichen.ir.print import print_module
from lichen.ir.types import DType, TensorType
from lichen.ir.verify import verify
from lichen.learning.choice import All, Biases, Choice, Head, Last
from lichen.learning.float_tail import make_float
from lichen.passes.differentiate import differentiate
from lichen.passes.gradient_descent import LEARNING_RATE, GradientDescent

LAYERS = ("dense", "conv2d", "depthwise_conv2d")
"""Operators with weights."""

_ACTIVATION = {"softmax_cross_entropy": "softmax", "sigmoid_cross_entropy": "logistic"}
"""Loss on logits -> the operator that makes predictions of them. A model may end in it; learning goes around it."""

LOSSES = ("softmax_cross_entropy", "sigmoid_cross_entropy", "mean_squared_error", "mean_absolute_error")

_SCALAR = TensorType((1,), DType.FLOAT32)


def make_trainable(module: Module, choice: Choice, loss: str, how: GradientDescent) -> Module:
    """A copy of `module` whose chosen parameters are float32 state, shared by `infer` and a new function `learn`.

    `learn` takes the model's inputs and `target`, and returns the loss (1) and the prediction, both from before the update. The target
    is a label (1, int32) for `softmax_cross_entropy`, else float32 of the shape of the output. Where the model ends in softmax or the
    logistic function, the cross-entropy is that of the logits. Parts in front of the first chosen layer stay as they are, in flash.

    Raises `InputError` for a choice or loss that does not fit the model, `UnsupportedError` for operators without a gradient.
    """
    if loss not in LOSSES:
        raise InputError(f"there is no loss called {loss}; choose one of {', '.join(LOSSES)}")
    module = parse_module(print_module(module))
    if "learn" in module.functions:
        raise InputError(f"{module.name} learns already; begin with the model that only infers")
    parameters = _choose(module, choice, _ACTIVATION.get(loss))
    module.functions["learn"] = learn = _copy(module.infer, "learn")
    inputs = _with_loss(learn, loss)
    differentiate(module, learn, inputs, parameters, how)
    verify(module)
    return module


def _choose(module: Module, choice: Choice, ends_in: str | None) -> list[State]:
    """Makes state of what is to be learned. A head ends in the operator `ends_in`."""
    infer = module.infer
    names = Namer([LEARNING_RATE, *(v.name for v in (*module.constants(), *module.states()))])
    layers = [op for op in infer.operations if op.kind in LAYERS]
    if not layers:
        raise InputError(f"{module.name} has no layer with weights, so there is nothing to learn")
    match choice:
        case Head():
            return _add_head(module, choice, layers[-1], names, ends_in)
        case Last(count):
            if count > len(layers):
                raise InputError(f"{module.name} has {len(layers)} layers with weights, not {count}")
            chosen = layers[-count:]
            if any(not op.results[0].type.dtype.is_float for op in chosen):
                make_float(infer, chosen[0], names)
                chosen = [op for op in infer.operations if op.kind in LAYERS][-count:]
            return _make_state(chosen, (1, 2))
        case All() | Biases():
            stored = next((op for op in layers if not op.results[0].type.dtype.is_float), None)
            if stored is not None:
                raise InputError(
                    f"{stored.kind} '{stored.name}' is quantised; learn last:K or a head, or begin with the float32 model"
                )
            parameters = _make_state(layers, (1, 2) if isinstance(choice, All) else (2,))
            if not parameters:
                raise InputError(f"no layer of {module.name} has a bias")
            return parameters


def _make_state(layers: Iterable[Operation], operands: tuple[int, ...]) -> list[State]:
    """The given operands of layers become state of the same name. One that layers share is one state."""
    made: dict[Value, State] = {}
    for op in layers:
        for index in operands:
            if index < len(op.operands) and isinstance(op.operands[index], Constant):
                value = op.operands[index]
                assert isinstance(value, Constant)
                op.operands[index] = made.setdefault(value, State(value.name, value.type, value.data))
    return list(made.values())


def _add_head(module: Module, head: Head, last: Operation, names: Namer, ends_in: str | None) -> list[State]:
    """A dense layer on tensors of the model, and perhaps an activation, take the place of its outputs."""
    infer = module.infer
    local = Namer(v.name for v in infer.values())
    known = {v.name: v for v in infer.values()}
    unknown = [name for name in head.inputs if name not in known]
    if unknown:
        raise InputError(f"{module.name} has no tensor '{unknown[0]}'; its last ones are {', '.join(list(known)[-5:])}")
    parts = [_flat(infer, known[name], local) for name in head.inputs] or [_flat(infer, last.operands[0], local)]
    features = parts[0]
    if len(parts) > 1:
        features = Value(local("features"), TensorType((1, sum(p.type.elements for p in parts)), DType.FLOAT32))
        infer.operations.append(Operation("concat", parts, [features], {"axis": 1}))
    count, result = features.type.elements, TensorType((1, head.classes), DType.FLOAT32)
    weights = State(
        names("head_weights"), result.with_shape(head.classes, count), np.zeros((head.classes, count), np.float32)
    )
    bias = State(names("head_bias"), result.with_shape(head.classes), np.zeros(head.classes, np.float32))
    infer.outputs = [Value(local("logits"), result)]
    infer.operations.append(Operation("dense", [features, weights, bias], infer.outputs, {"activation": "none"}))
    if ends_in is not None:
        prediction, attributes = Value(local("prediction"), result), dict[str, Attribute]()
        if ends_in == "softmax":
            attributes["beta"] = 1.0
        infer.operations.append(Operation(ends_in, infer.outputs, [prediction], attributes))
        infer.outputs = [prediction]
    return [weights, bias]


def _flat(function: Function, value: Value, local: Namer) -> Value:
    """`value` in float32 as (1, n)."""
    if value.type.quantisation is not None:
        real = Value(local(f"{value.name}_real"), TensorType(value.type.shape, DType.FLOAT32))
        function.operations.append(Operation("dequantize", [value], [real]))
        value = real
    if not value.type.dtype.is_float:
        raise InputError(f"'{value.name}' is of {value.type.dtype.value}, which a head cannot learn from")
    flat = Value(local(f"{value.name}_flat"), value.type.with_shape(1, value.type.elements))
    function.operations.append(Operation("reshape", [value], [flat]))
    return flat


def _copy(function: Function, name: str) -> Function:
    """The same operations on values of its own; constants and state are shared."""
    copies = {value: Value(value.name, value.type) for value in function.values()}

    def copy(values: Iterable[Value]) -> list[Value]:
        return [copies.get(v, v) for v in values]

    operations = [
        Operation(op.kind, copy(op.operands), copy(op.results), dict(op.attributes)) for op in function.operations
    ]
    return Function(name, copy(function.inputs), operations, copy(function.outputs))


def _with_loss(function: Function, loss: str) -> Value:
    """The function takes a target as well and returns loss and prediction; the loss."""
    if len(function.outputs) != 1:
        raise UnsupportedError(f"a model with {len(function.outputs)} outputs cannot learn; give it a head")
    (output,) = function.outputs
    if not output.type.dtype.is_float:
        raise InputError(f"output '{output.name}' is not float32, so there is no loss of it; learn last:K or a head")
    local = Namer(v.name for v in function.values())
    logits = _before_activation(function, output, loss)
    target_type = TensorType((1,), DType.INT32) if loss == "softmax_cross_entropy" else logits.type
    target, value = Value(local("target"), target_type), Value(local("loss"), _SCALAR)
    results, prediction = [value], logits
    if loss in _ACTIVATION:
        prediction = Value(local("prediction"), logits.type)
        results.append(prediction)
    function.inputs.append(target)
    function.operations.append(Operation(loss, [logits, target], results))
    function.outputs = [value, prediction]
    return value


def _before_activation(function: Function, output: Value, loss: str) -> Value:
    """What the loss looks at: the output, or the logits that it was made of. The activation is removed."""
    producer = function.producer(output)
    if loss not in _ACTIVATION or producer is None or producer.kind != _ACTIVATION[loss]:
        return output
    if producer.kind == "softmax" and not _is_plain_softmax(producer):
        raise UnsupportedError(f"softmax '{producer.name}' is not over all values with beta 1, as the loss is")
    function.operations.remove(producer)
    return producer.operands[0]


def _is_plain_softmax(softmax: Operation) -> bool:
    type_ = softmax.results[0].type
    return softmax.float_attribute("beta") == 1.0 and type_.shape[-1] == type_.elements
