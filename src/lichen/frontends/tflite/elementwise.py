"""Arithmetic, activations and changes of number format."""

from __future__ import annotations

from lichen.frontends.tflite.node import Node
from lichen.frontends.tflite.rules import rule
from lichen.ir.module import Constant


@rule("ADD", "AddOptions", newest=5, inputs=(2, 2))
def _add(node: Node) -> None:
    node.emit("add", node.operands(), {"activation": node.activation()})


@rule("SUB", "SubOptions", newest=5, inputs=(2, 2))
def _sub(node: Node) -> None:
    node.emit("sub", node.operands(), {"activation": node.activation()})


@rule("MUL", "MulOptions", newest=7, inputs=(2, 2))
def _mul(node: Node) -> None:
    node.emit("mul", node.operands(), {"activation": node.activation()})


@rule("RELU", newest=3)
def _relu(node: Node) -> None:
    node.emit("relu", node.operands())


@rule("RELU6", newest=3)
def _relu6(node: Node) -> None:
    node.emit("relu6", node.operands())


@rule("LEAKY_RELU", "LeakyReluOptions", newest=2)
def _leaky_relu(node: Node) -> None:
    node.emit("leaky_relu", node.operands(), {"alpha": node.real_option("alpha")})


@rule("HARD_SWISH", "HardSwishOptions")
def _hard_swish(node: Node) -> None:
    node.emit("hard_swish", node.operands())


@rule("LOGISTIC", newest=3)
def _logistic(node: Node) -> None:
    node.emit("logistic", node.operands())


@rule("TANH", newest=3)
def _tanh(node: Node) -> None:
    node.emit("tanh", node.operands())


@rule("SOFTMAX", "SoftmaxOptions", newest=3)
def _softmax(node: Node) -> None:
    node.emit("softmax", node.operands(), {"beta": node.real_option("beta")})


@rule("QUANTIZE", "QuantizeOptions", newest=3)
def _quantize(node: Node) -> None:
    node.emit("quantize", node.operands())


@rule("DEQUANTIZE", "DequantizeOptions", newest=6)
def _dequantize(node: Node) -> None:
    source = node.operand(0)
    if isinstance(source, Constant):
        node.fold("dequantize", [source])  # operators that use it as weights want a constant
    else:
        node.emit("dequantize", [source])
