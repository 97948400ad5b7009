"""The operators of PT2E programs: quantise and dequantise, of activations and of constants."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from lichen.errors import UnsupportedError
from lichen.frontends.aten.builder import Builder, Call, lowers
from lichen.frontends.aten.tensor import QuantisedConstant, Tensor, array
from lichen.ir.types import DType, Quantisation


@lowers("quantized_decomposed.quantize_per_tensor.default", "quantized_decomposed.quantize_per_tensor.tensor")
def quantize(builder: Builder, call: Call) -> Tensor | torch.Tensor:
    _require_int8(call)
    source = call["input"]
    scale, zero_point = _number(call["scale"]), _number(call["zero_point"])
    if not isinstance(source, Tensor):
        stored = np.rint(array(source) / np.float32(scale)) + zero_point
        return torch.from_numpy(np.clip(stored, call["quant_min"], call["quant_max"]).astype(np.int8))
    if (call["quant_min"], call["quant_max"]) != (-128, 127):
        raise UnsupportedError(
            f"activations clamped to {call['quant_min']}..{call['quant_max']} are not supported, only -128..127"
        )
    shape = source.value.type.shape
    type_ = replace(source.value.type, dtype=DType.INT8, quantisation=Quantisation.per_tensor(scale, int(zero_point)))
    return replace(source, value=builder.emit("quantize", [source.value], shape, type_))


@lowers("quantized_decomposed.dequantize_per_tensor.default", "quantized_decomposed.dequantize_per_tensor.tensor")
def dequantize(builder: Builder, call: Call) -> Tensor | QuantisedConstant:
    _require_int8(call)
    source = call["input"]
    scale, zero_point = _number(call["scale"]), int(_number(call["zero_point"]))
    if not isinstance(source, Tensor):
        return QuantisedConstant(array(source), (scale,), (zero_point,), None)
    type_ = source.value.type
    if type_.quantisation != Quantisation.per_tensor(scale, zero_point):
        raise UnsupportedError("a tensor is dequantised with another scale or zero point than it was quantised with")
    real = replace(type_, dtype=DType.FLOAT32, quantisation=None)
    return replace(source, value=builder.emit("dequantize", [source.value], type_.shape, real))


@lowers("quantized_decomposed.quantize_per_channel.default")
def quantize_per_channel(builder: Builder, call: Call) -> torch.Tensor:
    _require_int8(call)
    stored: torch.Tensor = torch.ops.quantized_decomposed.quantize_per_channel(
        torch.from_numpy(array(call.constant("input"))),
        call["scales"],
        call["zero_points"],
        call["axis"],
        call["quant_min"],
        call["quant_max"],
        call["dtype"],
    )
    return stored


@lowers("quantized_decomposed.dequantize_per_channel.default")
def dequantize_per_channel(builder: Builder, call: Call) -> QuantisedConstant:
    _require_int8(call)
    scales, zero_points = array(call.constant("scales")), call.optional("zero_points")
    zeros = np.zeros(len(scales), np.int64) if zero_points is None else zero_points
    return QuantisedConstant(
        array(call.constant("input")), tuple(map(float, scales)), tuple(int(z) for z in zeros), call["axis"]
    )


def _require_int8(call: Call) -> None:
    if call["dtype"] is not torch.int8:
        raise UnsupportedError(
            f"quantisation to {call['dtype']} is not supported; quantise to torch.int8, as lichen.nn.quantize does"
        )


def _number(value: Any) -> float:
    """A scale or zero point, which may be a constant tensor of one element."""
    return float(value.item()) if isinstance(value, torch.Tensor) else float(value)
