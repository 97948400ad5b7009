"""Channels, the last axis of a tensor: which operations keep them apart, and what is left of a constant on fewer of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lichen.ir.module import Array, Constant, Operation, Value, constant
from lichen.ir.types import Quantisation, TensorType

Mask = NDArray[np.bool_]
"""One flag a channel."""

_EACH = frozenset(
    {"depthwise_conv2d", "max_pool2d", "avg_pool2d", "resize_nearest", "quantize", "dequantize"}
    | {"relu", "relu6", "leaky_relu", "hard_swish", "logistic", "tanh"}
)
_BINARY = frozenset({"add", "sub", "mul"})


def mixes(op: Operation) -> bool:
    """Whether every channel of the result is a sum over all channels of operand 0, weighted by constants."""
    if op.kind not in ("conv2d", "dense") or type(op.operands[0]) is not Value or len(variables(op)) > 1:
        return False
    # A dense layer may also see its input as shorter rows than the input has itself.
    return op.operands[1].type.shape[-1] % channels_of(op.operands[0].type) == 0


def keeps_apart(op: Operation) -> bool:
    """Whether each channel of the result is made of one channel of every operand, as `spread` says, and of nothing else."""
    operands, channels = variables(op), channels_of(op.results[0].type) if len(op.results) == 1 else 0
    if not channels or not operands or any(type(v) is not Value or v.type.rank == 0 for v in operands):
        return False
    if op.kind in _EACH:
        return True
    if op.kind in _BINARY:
        return all(channels_of(v.type) == channels for v in operands)
    if op.kind == "pad":
        return op.ints_attribute("before")[-1] == op.ints_attribute("after")[-1] == 0
    if op.kind == "mean":
        return op.operands[0].type.rank - 1 not in op.ints_attribute("axes")
    return op.kind == "reshape" and channels % channels_of(operands[0].type) == 0


def variables(op: Operation) -> list[Value]:
    """The operands that are not constant."""
    return [v for v in op.operands if not isinstance(v, Constant)]


def channels_of(type_: TensorType) -> int:
    """The extent of the last axis; 1 for a scalar."""
    return type_.shape[-1] if type_.rank else 1


def with_channels(type_: TensorType, channels: int) -> TensorType:
    """The type with another number of channels."""
    return type_.with_shape(*type_.shape[:-1], channels)


def spread(op: Operation, per_operand: Array) -> Array:
    """What is known of each channel of an operand, for each channel of the result of an operation that keeps them apart."""
    factor = channels_of(op.results[0].type) // len(per_operand)
    return np.tile(per_operand, factor) if op.kind == "reshape" else np.repeat(per_operand, factor)


def gather(op: Operation, per_result: Mask, channels: int) -> Mask:
    """The operand's channels, `channels` in number, all of whose channels of the result are in `per_result`."""
    if op.kind == "reshape":
        return np.asarray(per_result.reshape(-1, channels).all(axis=0))
    return np.asarray(per_result.reshape(channels, -1).all(axis=1))


def fewer(value: Constant, kept: Mask, axis: int) -> Constant:
    """A constant's `kept` indices of `axis`, with their scales."""
    data = np.compress(kept, value.data, axis)
    axis %= data.ndim
    q = value.type.quantisation
    if q is not None and q.axis == axis:
        chosen = np.flatnonzero(kept)
        q = Quantisation(tuple(q.scale[i] for i in chosen), tuple(q.zero_point[i] for i in chosen), axis)
    return constant(value.name, data, replace(value.type, shape=data.shape, quantisation=q))
