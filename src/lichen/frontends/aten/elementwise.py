"""Arithmetic and activations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from lichen.errors import UnsupportedError
from lichen.frontends.aten.builder import Builder, Call, lowers
from lichen.frontends.aten.tensor import Layout, QuantisedConstant, Tensor, array
from lichen.ir.module import Value

Operand = Tensor | torch.Tensor | QuantisedConstant | float

_UNARY = {
    "aten.relu.default": "relu",
    "aten.relu6.default": "relu6",
    "aten.hardswish.default": "hard_swish",
    "aten.sigmoid.default": "logistic",
    "aten.tanh.default": "tanh",
}


@lowers(*_UNARY)
def unary(builder: Builder, call: Call) -> Tensor:
    return builder.unary(_UNARY[str(call.node.target)], call.tensor("self"))


@lowers("aten.hardtanh.default", "aten.clamp.default")
def clamp(builder: Builder, call: Call) -> Tensor:
    """The clamps that have an operator: ReLU, ReLU6 and -1..1, which is an addition of 0 with that activation."""
    source = call.tensor("self")
    low, high = (call["min_val"], call["max_val"]) if "min_val" in call.arguments else (call["min"], call["max"])
    if (low, high) == (0, None):
        return builder.unary("relu", source)
    if (low, high) == (0, 6):
        return builder.unary("relu6", source)
    if (low, high) == (-1, 1):
        zero = builder.constant("zero", np.zeros((1,) * source.value.type.rank, np.float32))
        value = builder.emit("add", [source.value, zero], source.value.type.shape, activation="relu_n1_to_1")
        return replace(source, value=value)
    raise UnsupportedError(f"a clamp to {low}..{high} is not supported; use ReLU, ReLU6 or -1..1")


@lowers("aten.leaky_relu.default")
def leaky_relu(builder: Builder, call: Call) -> Tensor:
    return builder.unary("leaky_relu", call.tensor("self"), alpha=float(call["negative_slope"]))


@lowers("aten.silu.default")
def silu(builder: Builder, call: Call) -> Tensor:
    source = call.tensor("self")
    gate = builder.unary("logistic", source, suffix="_gate")
    value = builder.emit("mul", [source.value, gate.value], source.value.type.shape, activation="none")
    return replace(source, value=value)


@lowers("aten.softmax.int", "aten._softmax.default")
def softmax(builder: Builder, call: Call) -> Tensor:
    """Over a dimension that is moved to the end of memory if it is not there."""
    source, dimension = builder.unflattened(call.tensor("self")), call.dimension(call["dim"])
    if not source.layout or source.layout[-1] != dimension:
        others = [d for d in range(source.rank) if d != dimension]
        source = builder.arranged(source, (*others, dimension))
    return builder.unary("softmax", source, beta=1.0)


@lowers(
    "aten.add.Tensor", "aten.sub.Tensor", "aten.mul.Tensor", "aten.add.Scalar", "aten.sub.Scalar", "aten.mul.Scalar"
)
def arithmetic(builder: Builder, call: Call) -> Tensor:
    _require_no_alpha(call)
    return _arithmetic(builder, call, str(call.node.target).split(".")[1], call["self"], call["other"])


@lowers("aten.rsub.Scalar", "aten.rsub.Tensor")
def reverse_sub(builder: Builder, call: Call) -> Tensor:
    """`other - self`."""
    _require_no_alpha(call)
    return _arithmetic(builder, call, "sub", call["other"], call["self"])


@lowers("aten.div.Tensor", "aten.div.Scalar")
def div(builder: Builder, call: Call) -> Tensor:
    """By a constant, which is a multiplication by its reciprocal: within one unit in the last place of the quotient."""
    if isinstance(call["other"], Tensor):
        raise UnsupportedError("division by a computed tensor is not supported, only by a constant")
    divisor = call["other"] if isinstance(call["other"], int | float) else array(call["other"])
    reciprocal = 1.0 / torch.as_tensor(divisor, dtype=torch.float64)
    return _arithmetic(builder, call, "mul", call["self"], reciprocal.to(torch.float32))


def _require_no_alpha(call: Call) -> None:
    if call.arguments.get("alpha", 1) != 1:
        raise UnsupportedError(f"alpha = {call['alpha']} is not supported; multiply the second operand instead")


def _arithmetic(builder: Builder, call: Call, kind: str, a: Operand, b: Operand) -> Tensor:
    """Of two tensors, or of a tensor and a constant; the smaller one broadcasts."""
    tensors = [x for x in (a, b) if isinstance(x, Tensor)]
    for x in tensors:
        if not x.value.type.dtype.is_float:
            raise UnsupportedError(f"{kind} of {x.value.type.dtype.value} tensors is not supported, only of float32")
    guide = max(tensors, key=lambda x: (x.value.type.elements, x.rank, x.flattened is None))
    if len({x.flattened for x in tensors}) > 1 or (guide.flattened is not None and guide.shape != call.shape):
        guide = builder.unflattened(guide)
    guide = _extended(guide, len(call.shape))
    operands = [_operand(builder, x, guide) for x in (a, b)]
    shape = tuple(1 if d is None else call.shape[d] for d in guide.layout)
    value = builder.emit(kind, operands, shape, guide.value.type, activation="none")
    return Tensor(value, call.shape, guide.layout, guide.flattened)


def _extended(tensor: Tensor, rank: int) -> Tensor:
    """The tensor with leading dimensions of 1 in PyTorch; the value stays."""
    new = rank - tensor.rank
    layout: Layout = tuple(None if d is None else d + new for d in tensor.layout)
    return replace(tensor, shape=(1,) * new + tensor.shape, layout=layout)


def _operand(builder: Builder, x: Operand, guide: Tensor) -> Value:
    """An operand in the layout of `guide`, to which it broadcasts."""
    if isinstance(x, Tensor):
        if x.flattened is not None and x.flattened == guide.flattened:
            return x.value
        return builder.arranged(_extended(builder.unflattened(x), guide.rank), guide.layout).value
    if isinstance(x, QuantisedConstant) and x.axis is None:
        stored = builder.like(x.stored, guide)
        return builder.stored_constant(replace(x, stored=stored))
    data = np.float32(x) if isinstance(x, int | float) else array(x)
    return builder.constant("constant", builder.like(np.asarray(data, np.float32), guide))
