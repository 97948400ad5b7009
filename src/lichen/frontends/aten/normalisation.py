"""Batch normalisation in evaluation mode: an affine map of each channel, folded into the layer before it where there is one."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from lichen.errors import UnsupportedError
from lichen.frontends.aten.builder import Builder, Call, lowers
from lichen.frontends.aten.tensor import Tensor, array
from lichen.ir.module import Array, Constant, Operation, constant
from lichen.ir.types import DType, TensorType

_CHANNEL_AXIS = {"conv2d": 0, "dense": 0, "depthwise_conv2d": 3}


@lowers("aten._native_batch_norm_legit_no_training.default", "aten.batch_norm.default")
def batch_norm(builder: Builder, call: Call) -> Tensor | list[Tensor]:
    if call.arguments.get("training"):
        raise UnsupportedError("batch normalisation is in training mode; call model.eval() before exporting")
    source = call.tensor("input")
    scale, shift = _affine(call)
    layer = _sole_layer(builder, call, source)
    if layer is not None:
        _fold(builder, layer, scale, shift)
        result = source
    else:
        along = (1, -1) + (1,) * (source.rank - 2)
        value = source.value
        for kind, role, data, suffix in (("mul", "scale", scale, "_scaled"), ("add", "shift", shift, "")):
            operand = builder.constant(role, builder.like(data.reshape(along).astype(np.float32), source))
            value = builder.emit(kind, [value, operand], value.type.shape, suffix=suffix, activation="none")
        result = Tensor(value, source.shape, source.layout, source.flattened)
    returns_statistics = len(call.node.target._schema.returns) > 1  # type: ignore[union-attr]
    return [result] if returns_statistics else result


def _affine(call: Call) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scale and shift of each channel, in double."""
    mean, variance = (_double(array(call.constant(name))) for name in ("running_mean", "running_var"))
    weight, bias = call.optional("weight"), call.optional("bias")
    scale = 1.0 / np.sqrt(variance + call["eps"])
    if weight is not None:
        scale = scale * _double(weight)
    shift = -mean * scale
    return scale, shift if bias is None else shift + _double(bias)


def _sole_layer(builder: Builder, call: Call, source: Tensor) -> Operation | None:
    """The layer whose only use is this normalisation, and whose channels are its channels."""
    producer = call.node.args[0]
    assert isinstance(producer, torch.fx.Node)
    operation = builder.function.operations[-1] if builder.function.operations else None
    is_sole = len(producer.users) == 1 and operation is not None and operation.results[0] is source.value
    if is_sole and operation is not None and operation.kind in _CHANNEL_AXIS and source.layout[-1] == 1:
        return operation
    return None


def _fold(builder: Builder, layer: Operation, scale: NDArray[np.float64], shift: NDArray[np.float64]) -> None:
    weights = _data(layer, 1)
    along = [1] * weights.ndim
    along[_CHANNEL_AXIS[layer.kind]] = -1
    start = _double(_data(layer, 2)) if len(layer.operands) > 2 else np.zeros_like(scale)
    folded = (weights * scale.reshape(along)).astype(np.float32), (start * scale + shift).astype(np.float32)
    bias_name = layer.operands[2].name if len(layer.operands) > 2 else builder.named(f"{layer.name}_bias")
    names = layer.operands[1].name, bias_name
    layer.operands[1:] = [
        constant(name, data, TensorType(data.shape, DType.FLOAT32)) for name, data in zip(names, folded, strict=True)
    ]


def _data(layer: Operation, index: int) -> Array:
    operand = layer.operands[index]
    assert isinstance(operand, Constant)
    return operand.data


def _double(data: Array) -> NDArray[np.float64]:
    return data.astype(np.float64)
