"""Operators with weights, and poolings: what slides a window or multiplies by a matrix."""

from __future__ import annotations

import numpy as np

from lichen.frontends.tflite.node import Node
from lichen.frontends.tflite.rules import rule
from lichen.frontends.tflite.schema import PADDINGS
from lichen.ir.module import Attribute, Value
from lichen.ir.types import DType

BIAS_SCALE_TOLERANCE = 0.02
"""How far the scale of a bias may be from the product of the others, in output scales: the limit of TensorFlow Lite."""


@rule("CONV_2D", "Conv2DOptions", newest=8, inputs=(2, 3))
def _conv2d(node: Node) -> None:
    operands = _weighted(node)
    _require_rank4(node, operands[:2])
    node.emit("conv2d", operands, _convolution(node, operands[1].type.shape[1:3]))


@rule("DEPTHWISE_CONV_2D", "DepthwiseConv2DOptions", newest=7, inputs=(2, 3))
def _depthwise_conv2d(node: Node) -> None:
    operands = _weighted(node)
    _require_rank4(node, operands[:2])
    source, weights = operands[0].type, operands[1].type
    multiplier = node.option("depth_multiplier")
    if source.shape[3] * multiplier != weights.shape[3]:
        node.contradiction(
            f"depth multiplier {multiplier} of {source.shape[3]} channels does not give {weights.shape[3]} output channels"
        )
    node.emit("depthwise_conv2d", operands, _convolution(node, weights.shape[1:3]))


@rule("FULLY_CONNECTED", "FullyConnectedOptions", newest=13, inputs=(2, 3))
def _fully_connected(node: Node) -> None:
    operands = _weighted(node)
    if node.option("weights_format", "b") != 0:
        node.unsupported("shuffled weights are not supported; only the default format is")
    node.emit("dense", operands, {"activation": node.activation()})


@rule("AVERAGE_POOL_2D", "Pool2DOptions", newest=3)
def _average_pool2d(node: Node) -> None:
    _pool(node, "avg_pool2d")


@rule("MAX_POOL_2D", "Pool2DOptions", newest=3)
def _max_pool2d(node: Node) -> None:
    _pool(node, "max_pool2d")


def _pool(node: Node, kind: str) -> None:
    operands = node.operands()
    _require_rank4(node, operands)
    kernel = node.option("filter_height"), node.option("filter_width")
    node.emit(kind, operands, {"kernel": kernel, **_window(node, kernel, (1, 1)), "activation": node.activation()})


def _weighted(node: Node) -> list[Value]:
    """Input, weights and, if present, the bias."""
    operands = [node.operand(i) for i in range(3) if i < 2 or node.has(i)]
    source, weights = operands[0].type, operands[1].type
    if source.dtype is DType.FLOAT32 and weights.dtype is not DType.FLOAT32:
        node.unsupported(
            f"float input with {weights.dtype.value} weights is not supported; quantise the activations too, or nothing"
        )
    if len(operands) == 3:
        _check_bias_scale(node)
    return operands


def _check_bias_scale(node: Node) -> None:
    """The bias is added to sums of products, so its scale must be that of the products."""
    source, weights = node.operand(0).type.quantisation, node.operand(1).type.quantisation
    bias, result = node.graph.tensor(node.record.inputs[2]).quantization, node.result_type().quantisation
    if source is None or weights is None or bias is None or result is None:
        return
    if any(bias.zero_point):
        node.contradiction("the zero point of its bias is not 0")
    products = source.scale[0] * np.array(weights.scale)
    if len(bias.scale) != len(products):
        node.contradiction(f"its bias has {len(bias.scale)} scales and its weights have {len(products)}")
    if (np.abs(products - np.array(bias.scale)) > BIAS_SCALE_TOLERANCE * result.scale[0]).any():
        node.contradiction("the scale of its bias is not the product of the scales of input and weights")


def _require_rank4(node: Node, values: list[Value]) -> None:
    for value in values:
        if value.type.rank != 4:
            node.contradiction(f"a tensor of shape {list(value.type.shape)} stands where four dimensions are needed")


def _convolution(node: Node, kernel: tuple[int, ...]) -> dict[str, Attribute]:
    dilation = node.option("dilation_h_factor", default=1), node.option("dilation_w_factor", default=1)
    return {**_window(node, kernel, dilation), "dilation": dilation, "activation": node.activation()}


def _window(node: Node, kernel: tuple[int, ...], dilation: tuple[int, int]) -> dict[str, Attribute]:
    """Stride, and the padding in numbers."""
    stride = node.option("stride_h"), node.option("stride_w")
    if min(*stride, *dilation, *kernel) < 1:
        node.contradiction(f"kernel {kernel}, stride {stride} and dilation {dilation} must all be at least 1")
    number = node.option("padding", "b")
    name = PADDINGS.get(number)
    if name is None:
        node.contradiction(f"padding {number} is neither SAME nor VALID")
    _, height, width, _ = node.operand(0).type.shape
    padding = (0, 0, 0, 0)
    if name == "SAME":
        padding = (
            *_same_padding(height, kernel[0], stride[0], dilation[0]),
            *_same_padding(width, kernel[1], stride[1], dilation[1]),
        )
    return {"stride": stride, "padding": padding}


def _same_padding(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """What SAME adds before and after, so that the output has `ceil(size / stride)` elements; the odd one goes after."""
    outputs = -(-size // stride)
    total = max((outputs - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2
