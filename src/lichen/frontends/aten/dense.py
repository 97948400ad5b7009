"""Matrix products with constant weights."""

from __future__ import annotations

import numpy as np

from lichen.errors import UnsupportedError
from lichen.frontends.aten.builder import Builder, Call, lowers
from lichen.frontends.aten.tensor import Tensor, array, identity
from lichen.ir.module import Array


@lowers("aten.linear.default")
def linear(builder: Builder, call: Call) -> Tensor:
    """`input @ weight.T + bias`, weight (O, K)."""
    return _dense(builder, call, call.tensor("input"), array(call.constant("weight")), call.optional("bias"))


@lowers("aten.mm.default", "aten.matmul.default")
def product(builder: Builder, call: Call) -> Tensor:
    """`a @ b` with constant b (K, O)."""
    name = "mat2" if "mat2" in call.arguments else "other"
    weights = array(call.constant(name))
    if weights.ndim != 2:
        raise UnsupportedError(f"a matrix product needs constant weights of two dimensions, not {list(weights.shape)}")
    return _dense(builder, call, call.tensor("self"), weights.T, None)


@lowers("aten.addmm.default")
def product_and_bias(builder: Builder, call: Call) -> Tensor:
    """`beta * self + alpha * mat1 @ mat2` with constant self and mat2."""
    bias = np.broadcast_to(array(call.constant("self")) * np.float32(call["beta"]), call.shape).reshape(-1)
    weights = array(call.constant("mat2")).T * np.float32(call["alpha"])
    return _dense(builder, call, call.tensor("mat1"), weights, bias)


def _dense(builder: Builder, call: Call, source: Tensor, weights: Array, bias: Array | None) -> Tensor:
    """A flattened image stays in memory order: the weights are reordered instead."""
    if source.flattened is not None:
        x, weights = source.value, weights[:, source.flattened.order()]
    else:
        x = builder.plain(source).value
    operands = [x, builder.constant("weights", weights)]
    operands += [] if bias is None else [builder.constant("bias", bias)]
    value = builder.emit("dense", operands, call.shape, activation="none")
    return Tensor(value, call.shape, identity(len(call.shape)))
