"""The PT2E quantizer: which tensors are int8, and which share a scale, as the LiteRT 8-bit specification wants it.

How this works inside: `annotate` walks the graph once. It gives every operator that Lichen has in int8 a specification for its inputs
and its output; torchao puts an observer at each and turns it into a quantize-dequantize pair after calibration. An activation
that is the only user of a convolution, a dense layer or an arithmetic operator is fused: nothing is observed in between.
Operators that only move or select values share one scale between input and output, so that they need no arithmetic on the chip.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Literal

import torch
from torch.fx import GraphModule, Node

from lichen.errors import InputError
from lichen.nn.module_path import module_path
from lichen.nn.pt2e import (
    FixedQParamsQuantizationSpec,
    FusedMovingAvgObsFakeQuantize,
    HistogramObserver,
    MinMaxObserver,
    MovingAverageMinMaxObserver,
    MovingAveragePerChannelMinMaxObserver,
    PerChannelMinMaxObserver,
    QuantizationAnnotation,
    QuantizationSpec,
    QuantizationSpecBase,
    Quantizer,
    SharedQuantizationSpec,
)

Observer = Literal["histogram", "minmax", "training"]
WeightScale = Literal["channel", "tensor"]

_KEY = "quantization_annotation"
_SMALLEST_SCALE = 2.0**-16  # of activations: keeps biases, whose scale is a product of two scales, within 32 bits
_SMALLEST_WEIGHT_SCALE = 2.0**-20

# How a tensor is watched: a class, and arguments beside those that all have.
_ACTIVATION_OBSERVERS = {
    "histogram": (HistogramObserver, {}),
    "minmax": (MinMaxObserver, {}),
    "training": (
        FusedMovingAvgObsFakeQuantize,
        {"observer": MovingAverageMinMaxObserver, "averaging_constant": 0.01},
    ),
}
# In training the range of weights is that of the step, not a mean over steps.
_WEIGHT_OBSERVERS = {
    "histogram": (MinMaxObserver, {}),
    "minmax": (MinMaxObserver, {}),
    "training": (
        FusedMovingAvgObsFakeQuantize,
        {"observer": MovingAverageMinMaxObserver, "averaging_constant": 1.0},
    ),
}
_CHANNEL_OBSERVERS = {
    "histogram": (PerChannelMinMaxObserver, {}),
    "minmax": (PerChannelMinMaxObserver, {}),
    "training": (
        FusedMovingAvgObsFakeQuantize,
        {"observer": MovingAveragePerChannelMinMaxObserver, "averaging_constant": 1.0},
    ),
}

_WEIGHTED = {"conv1d", "conv2d", "linear"}
_ARITHMETIC = {"add", "sub", "rsub", "mul", "div"}
_FUSIBLE = {"relu", "hardtanh", "relu6"}
_OWN_SCALE = {"leaky_relu", "hardswish", "mean", "adaptive_avg_pool1d", "adaptive_avg_pool2d"} | _FUSIBLE
_SHARED_SCALE = {
    *("max_pool1d", "max_pool2d", "avg_pool1d", "avg_pool2d", "upsample_nearest2d", "constant_pad_nd", "pad"),
    *("flatten", "view", "reshape", "squeeze", "unsqueeze", "permute", "transpose", "t", "slice", "select"),
    *("dropout", "clone", "contiguous", "alias", "detach"),
}
_SPLITS = {"split", "chunk", "split_with_sizes"}


class LichenQuantizer(Quantizer):  # type: ignore[misc]  # torchao has no types
    """int8 everywhere: symmetric weights, asymmetric activations.

    `observer` picks the range of activations: "histogram" the one with the least squared error, "minmax" all that was seen, "training" a
    moving average of it, with rounding on the way so that training sees it. Weights have a scale for each output channel, or with
    `weight_scale` "tensor" one for the layer, which keeps equal weights equal; they are whole numbers of `weight_bits` bits, from 2 to 8.
    What comes from modules, named by their paths, that `quantises` says no to stays in floating point. Raises `InputError` for
    another number of bits.
    """

    def __init__(
        self,
        observer: Observer = "histogram",
        weight_scale: WeightScale = "channel",
        weight_bits: int = 8,
        quantises: Callable[[str], bool] = lambda path: True,
    ) -> None:
        if not 2 <= weight_bits <= 8:
            raise InputError(f"weights of {weight_bits} bits cannot be had; int8 holds 2 to 8")
        largest = 2 ** (weight_bits - 1) - 1
        self._quantises = quantises
        watching, arguments = _ACTIVATION_OBSERVERS[observer]
        self._activation = QuantizationSpec(
            torch.int8,
            watching.with_args(eps=_SMALLEST_SCALE, **arguments),
            quant_min=-128,
            quant_max=127,
            qscheme=torch.per_tensor_affine,
        )
        by_channel = weight_scale == "channel"
        watching, arguments = (_CHANNEL_OBSERVERS if by_channel else _WEIGHT_OBSERVERS)[observer]
        self._weights = QuantizationSpec(
            torch.int8,
            watching.with_args(eps=_SMALLEST_WEIGHT_SCALE, **arguments),
            quant_min=-largest,
            quant_max=largest,
            qscheme=torch.per_channel_symmetric if by_channel else torch.per_tensor_symmetric,
            ch_axis=0 if by_channel else None,
        )
        unsigned = _fixed(1.0 / 256.0, -128)
        self._fixed = {"sigmoid": unsigned, "softmax": unsigned, "_softmax": unsigned, "tanh": _fixed(1.0 / 128.0, 0)}
        self._outputs: dict[Node, QuantizationSpecBase] = {}  # the specification that a value's users see

    def transform_for_annotation(self, model: GraphModule) -> GraphModule:
        """SiLU becomes `x * sigmoid(x)`, which int8 has operators for."""
        for node in list(model.graph.nodes):
            if aten_name(node) == "silu":
                with model.graph.inserting_before(node):
                    gate = model.graph.call_function(torch.ops.aten.sigmoid.default, (node.args[0],))
                    product = model.graph.call_function(torch.ops.aten.mul.Tensor, (node.args[0], gate))
                for new in (gate, product):
                    new.meta = dict(node.meta)
                node.replace_all_uses_with(product)
                model.graph.erase_node(node)
        model.recompile()
        return model

    def annotate(self, model: GraphModule) -> GraphModule:
        self._outputs = {}
        for node in model.graph.nodes:
            if node.op == "call_function" and _is_float(node):
                self._annotate_node(node)
        return model

    def validate(self, model: GraphModule) -> None:
        """Nothing can be annotated wrongly: what is not known is left in floating point and reported when it is lowered."""

    def _annotate_node(self, node: Node) -> None:
        name = aten_name(node)
        if _KEY in node.meta:  # the activation of a fused pair
            return
        if not self._quantises(module_path(node)[0]):
            if (name in _WEIGHTED or name in _ARITHMETIC) and (activation := _fused_activation(node)) is not None:
                activation.meta[_KEY] = QuantizationAnnotation(_annotated=True)
            return
        if name in _WEIGHTED:
            source, weights = _node(node.args[0]), _node(node.args[1])
            self._annotate(node, {source: self._input(source), weights: self._weights}, self._activation)
        elif name in _ARITHMETIC:
            inputs = {n: self._input(n) for n in node.all_input_nodes if _is_float(n)}
            self._annotate(node, inputs, self._activation)
        elif name == "cat":
            first, *others = node.all_input_nodes
            shared = SharedQuantizationSpec((first, node))
            self._annotate(node, {first: self._input(first), **dict.fromkeys(others, shared)}, shared, fuse=False)
        elif name in self._fixed or name in _OWN_SCALE:
            source = _node(node.args[0])
            output = self._fixed.get(name, self._activation)
            self._annotate(node, {source: self._input(source)}, output, fuse=False)
        elif name in _SHARED_SCALE:
            self._share(node, _node(node.args[0]), node)
        elif node.target is operator.getitem and aten_name(_node(node.args[0])) in _SPLITS:
            split = _node(node.args[0])
            source = _node(split.args[0])
            split.meta[_KEY] = QuantizationAnnotation({source: self._input(source)}, _annotated=True)
            node.meta[_KEY] = QuantizationAnnotation(
                output_qspec=SharedQuantizationSpec((source, split)), _annotated=True
            )
            self._outputs[node] = self._input(source)

    def _share(self, node: Node, source: Node, user: Node) -> None:
        shared = SharedQuantizationSpec((source, user))
        self._annotate(node, {source: self._input(source)}, shared, fuse=False)
        self._outputs[node] = self._input(source)

    def _annotate(
        self,
        node: Node,
        inputs: dict[Node, QuantizationSpecBase],
        output: QuantizationSpecBase,
        fuse: bool = True,
    ) -> None:
        activation = _fused_activation(node) if fuse else None
        if activation is None:
            node.meta[_KEY] = QuantizationAnnotation(inputs, output, _annotated=True)
        else:
            node.meta[_KEY] = QuantizationAnnotation(inputs, _annotated=True)
            activation.meta[_KEY] = QuantizationAnnotation(output_qspec=output, _annotated=True)
        if not isinstance(output, SharedQuantizationSpec):
            self._outputs[activation or node] = output

    def _input(self, source: Node) -> QuantizationSpecBase:
        """The specification of an operand: its producer's, so that torchao sees one tensor with one scale."""
        return self._outputs.get(source, self._activation)


def aten_name(node: Node) -> str:
    """`conv2d` for `torch.ops.aten.conv2d.default`; in-place variants lose their underscore; empty for anything else."""
    if not isinstance(node.target, torch._ops.OpOverload) or node.target.namespace != "aten":
        return ""
    name = node.target._opname
    return name[:-1] if name.endswith("_") else name


def _fused_activation(node: Node) -> Node | None:
    users = list(node.users)
    if len(users) == 1 and aten_name(users[0]) in _FUSIBLE and _clamps_as_relu(users[0]):
        return users[0]
    return None


def _clamps_as_relu(node: Node) -> bool:
    """Whether the activation is ReLU or ReLU6, whichever way it is written."""
    return aten_name(node) != "hardtanh" or tuple(node.args[1:3]) == (0.0, 6.0)


def _fixed(scale: float, zero_point: int) -> FixedQParamsQuantizationSpec:
    return FixedQParamsQuantizationSpec(
        torch.int8, scale, zero_point, quant_min=-128, quant_max=127, qscheme=torch.per_tensor_affine
    )


def _is_float(node: Node) -> bool:
    value = node.meta.get("val")
    if isinstance(value, list | tuple):
        value = value[0]
    return isinstance(value, torch.Tensor) and value.dtype is torch.float32


def _node(argument: object) -> Node:
    assert isinstance(argument, Node)
    return argument
