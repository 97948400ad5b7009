"""A model compiled by bakenn, an ahead-of-time compiler from PyPI, with the CMSIS-NN kernels that its package brings.

bakenn reads `.tflite` files, PyTorch programs (which it quantises itself) and graphs built in Python. Its `.tflite` reader takes neither
the free batch size nor the softmax of MLPerf Tiny's models, so models are handed over as graphs: same weights, same scales, same order.
It has its own arithmetic for average pooling with Lichen's rounding as an option (taken here), for means and for softmax: these can
differ by a step.

bakenn calls CMSIS-NN only where padding is the same on both sides, and else its own C, which is several times slower; what TensorFlow
calls `SAME` is often not. Its buffers are those that CMSIS-NN needs on a Cortex-M4, too small for Helium, so that is left out. With `explicit_padding` such a padding is an operation of its own, in front of the layer, which lets CMSIS-NN in.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import bakenn
import numpy as np
from bakenn import ir
from bakenn.ir.ops.pool import AVERAGE_POOL_PROFILE_TFLITE_RAW_V1
from bakenn.ir.types import normalize_scale_float32

from counting import ForeignCode, sample
from lichen.errors import UnsupportedError
from lichen.ir.kernel import Core
from lichen.ir.module import Array, Module, Operation, Value
from lichen.ir.types import TensorType
from lichen.ops.fixed_point import activation_range
from lichen.ops.weights import bias_or_zero, constant_operand
from lichen.ops.window import Window

_LAYOUTS = {2: ir.Layout.NC, 4: ir.Layout.NHWC}
_GLUE = """#include "bknn_{name}.h"
#include "peer.h"
#if BKNN_{NAME}_ARENA_SIZE > 0
static uint8_t arena[BKNN_{NAME}_ARENA_SIZE] __attribute__((aligned(BKNN_{NAME}_ARENA_ALIGNMENT)));
#else
#define arena 0
#endif
void peer_infer(const int8_t *input, const int8_t *last_input, int8_t *output)
{{
    (void)last_input;
    bknn_{name}_infer(arena, input, output);
}}
"""


class BakennPeer:
    """A compiled model: its C, how many bytes of arena it asks for, and the kernels it takes."""

    def __init__(
        self, module: Module, core: Core, folder: Path, explicit_padding: bool = False, optimize: str = "-O2"
    ) -> None:
        """Compiles `module` for `core`, with CMSIS-NN where the core has its instructions.

        Raises `UnsupportedError` for what bakenn cannot do.
        """
        target = bakenn.CORTEX_M4 if core.has("dsp") else bakenn.PORTABLE_32
        options = bakenn.CBackendOptions(
            kernel_policy=bakenn.KernelPolicy.STATIC_PRIORITY, enable_cmsis_nn=core.has("dsp"), target=target
        )
        try:
            graph = _Graph(module, explicit_padding).build()
            artifacts = bakenn.compile(graph, folder, model_name=module.name, backend_options=options).artifacts
        except (bakenn.BakeNNError, ValueError) as error:
            raise UnsupportedError(f"bakenn: {error}") from error
        glue = folder / "glue.c"
        glue.write_text(_GLUE.format(name=module.name, NAME=module.name.upper()), "utf-8")
        sources = (
            artifacts.model_source,
            artifacts.weights_source,
            artifacts.kernels_source,
            *artifacts.support_sources,
        )
        sizes = module.infer.inputs[0].type.elements, module.infer.outputs[0].type.elements
        include = (artifacts.output_dir, *artifacts.support_include_dirs)
        flags = (optimize, "-std=gnu11", *(("-mcpu=cortex-m55+nomve",) if core.has("mve") else ()))
        self.code = ForeignCode((glue, *sources), include, flags, 1, *sizes)
        self.arena_bytes = artifacts.backend_plan.arena_size
        self.kernels = [selection.kernel_id for selection in artifacts.backend_plan.selections]


def pads_unevenly(module: Module) -> bool:
    """Whether a convolution's padding differs between two sides, so that `explicit_padding` makes a difference."""
    paddings = [Window.over(op).padding for op in module.infer.operations if op.kind in ("conv2d", "depthwise_conv2d")]
    return any(top != bottom or left != right for top, bottom, left, right in paddings)


class _Graph:
    """A bakenn graph under construction. Inputs beyond the first are constants, because bakenn has one input."""

    def __init__(self, module: Module, explicit_padding: bool) -> None:
        self._module, self._explicit_padding = module, explicit_padding
        self._values: dict[str, ir.TensorType] = {}
        self._constants: dict[str, Array] = {}
        self._operations: list[ir.Op] = []
        self._names: dict[int, str] = {}

    def build(self) -> ir.QuantizedGraph:
        function = self._module.infer
        for value, data in zip(function.inputs, sample(self._module), strict=True):
            name = self._define(value)
            if value is not function.inputs[0]:
                self._constants[name] = data
        for operation in function.operations:
            if operation.kind not in _RULES:
                raise UnsupportedError(f"bakenn has no {operation.kind}")
            _RULES[operation.kind](self, operation)
        names = [self._names[id(value)] for value in (function.inputs[0], *function.outputs)]
        return ir.QuantizedGraph(
            self._module.name, self._values, self._constants, tuple(self._operations), (names[0],), tuple(names[1:])
        )

    def _define(self, value: Value) -> str:
        self._names[id(value)] = value.name
        self._values[value.name] = self._type(value.type, value.type.shape)
        return value.name

    def _type(self, type_: TensorType, shape: tuple[int, ...]) -> ir.TensorType:
        if len(shape) not in _LAYOUTS:
            raise UnsupportedError(f"bakenn has no tensors of shape {list(shape)}")
        return ir.TensorType(
            shape, ir.DType.INT8, _LAYOUTS[len(shape)], ir.PerTensorQParams(type_.scale, type_.zero_point)
        )

    def _operand(self, operation: Operation, index: int = 0) -> str:
        return self._names[id(operation.operands[index])]

    def _flat(self, operation: Operation) -> str:
        """The first operand as (1, n)."""
        value, name = operation.operands[0], self._operand(operation)
        if len(value.type.shape) == 2:
            return name
        flat = f"{operation.name}_flat"
        self._values[flat] = self._type(value.type, (1, value.type.elements))
        self._operations.append(ir.FlattenOp(f"op_{flat}", name, flat))
        return flat

    def _window(self, operation: Operation) -> tuple[str, tuple[int, ...]]:
        """The first operand, padded if need be, and the padding that is left to the layer."""
        value, name = operation.operands[0], self._operand(operation)
        top, bottom, left, right = padding = Window.over(operation).padding
        if not self._explicit_padding or (top == bottom and left == right):
            return name, padding
        _, height, width, channels = value.type.shape
        padded = f"{operation.name}_padded"
        self._values[padded] = self._type(value.type, (1, top + height + bottom, left + width + right, channels))
        self._operations.append(ir.Pad2DOp(f"op_{padded}", name, padded, padding))
        return padded, (0, 0, 0, 0)

    def _clamp(self, operation: Operation) -> dict[str, int]:
        low, high = activation_range(operation.str_attribute("activation"), operation.results[0].type)
        return {"activation_min": low, "activation_max": high}

    def _weights(self, operation: Operation, layout: ir.Layout, data: Array) -> tuple[str, str]:
        """The names of weights, whose output channels are the first axis or, in `HWO`, the last, and of the bias."""
        axis = data.ndim - 1 if layout is ir.Layout.HWO else 0
        channels = data.shape[axis]
        quantisation, source = operation.operands[1].type.quantisation, operation.operands[0].type
        assert quantisation is not None
        scales = tuple(normalize_scale_float32(s) for s in quantisation.scale * (channels // len(quantisation.scale)))
        products = tuple(normalize_scale_float32(normalize_scale_float32(source.scale) * s) for s in scales)
        zeros, weights, bias = (0,) * channels, f"{operation.name}_weights", f"{operation.name}_bias"
        self._values[weights] = ir.TensorType(data.shape, ir.DType.INT8, layout, ir.PerAxisQParams(scales, zeros, axis))
        self._values[bias] = ir.TensorType(
            (channels,), ir.DType.INT32, ir.Layout.C, ir.PerAxisQParams(products, zeros, 0)
        )
        self._constants[weights], self._constants[bias] = data, bias_or_zero(operation, channels).astype(np.int32)
        return weights, bias

    def convolution(self, operation: Operation) -> None:
        name, padding = self._window(operation)
        moves = {key: operation.ints_attribute(key) for key in ("stride", "dilation")}
        if operation.kind == "conv2d":
            weights, bias = self._weights(operation, ir.Layout.OHWI, constant_operand(operation, 1))
            make, more = ir.Conv2DOp, {}
        else:
            weights, bias = self._weights(operation, ir.Layout.HWO, constant_operand(operation, 1)[0])
            channels = operation.operands[0].type.shape[3], operation.results[0].type.shape[3]
            make, more = ir.DepthwiseConv2DOp, {"depth_multiplier": channels[1] // channels[0]}
        arguments = {**moves, **more, **self._clamp(operation), "padding": padding}
        result = self._define(operation.results[0])
        self._operations.append(make(f"op_{operation.name}", name, weights, bias, result, **arguments))

    def dense(self, operation: Operation) -> None:
        name = self._flat(operation)
        weights, bias = self._weights(operation, ir.Layout.OI, constant_operand(operation, 1))
        result = self._define(operation.results[0])
        self._operations.append(
            ir.LinearOp(f"op_{operation.name}", name, weights, bias, result, **self._clamp(operation))
        )

    def binary(self, operation: Operation) -> None:
        operands = self._operand(operation, 0), self._operand(operation, 1)
        make = ir.AddOp if operation.kind == "add" else ir.MulOp
        result = self._define(operation.results[0])
        self._operations.append(make(f"op_{operation.name}", *operands, result, **self._clamp(operation)))

    def pool(self, operation: Operation) -> None:
        arguments = {key: operation.ints_attribute(key) for key in ("kernel", "stride", "padding")} | self._clamp(
            operation
        )
        name, result = self._operand(operation), self._define(operation.results[0])
        if operation.kind == "avg_pool2d":
            profile = {"arithmetic_profile": AVERAGE_POOL_PROFILE_TFLITE_RAW_V1}
            self._operations.append(ir.AveragePool2DOp(f"op_{operation.name}", name, result, **arguments, **profile))
        else:
            self._operations.append(ir.MaxPool2DOp(f"op_{operation.name}", name, result, **arguments))

    def mean(self, operation: Operation) -> None:
        name, result = self._operand(operation), self._define(operation.results[0])
        axes = operation.ints_attribute("axes")
        self._operations.append(
            ir.ReduceMeanOp(f"op_{operation.name}", name, result, axes, bool(operation.attributes["keep_dims"]))
        )

    def pad(self, operation: Operation) -> None:
        before, after = operation.ints_attribute("before"), operation.ints_attribute("after")
        name, result = self._operand(operation), self._define(operation.results[0])
        padding = (before[1], after[1], before[2], after[2])
        self._operations.append(ir.Pad2DOp(f"op_{operation.name}", name, result, padding))

    def reshape(self, operation: Operation) -> None:
        name, result = self._operand(operation), self._define(operation.results[0])
        flattens = len(operation.results[0].type.shape) == 2
        make = ir.FlattenOp if flattens else ir.ReshapeOp
        self._operations.append(make(f"op_{operation.name}", name, result))

    def softmax(self, operation: Operation) -> None:
        name, result = self._operand(operation), self._define(operation.results[0])
        self._operations.append(ir.SoftmaxOp(f"op_{operation.name}", name, result, operation.float_attribute("beta")))


_RULES: dict[str, Callable[[_Graph, Operation], None]] = {
    "conv2d": _Graph.convolution,
    "depthwise_conv2d": _Graph.convolution,
    "dense": _Graph.dense,
    "add": _Graph.binary,
    "mul": _Graph.binary,
    "avg_pool2d": _Graph.pool,
    "max_pool2d": _Graph.pool,
    "mean": _Graph.mean,
    "pad": _Graph.pad,
    "reshape": _Graph.reshape,
    "softmax": _Graph.softmax,
}
