"""Single depthwise convolutions to test kernels with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from chip_check import assert_chip_equals_interpreter
from lichen.ir.interpret import Interpreter
from lichen.ir.module import Function, Module, Operation, Value
from lichen.ir.types import DType, Quantisation, TensorType
from native_check import random_input
from ops_oracle import fixed, i8, one_op


def depthwise(
    shape: tuple[int, int, int],
    kernel: tuple[int, int] = (3, 3),
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int, int, int] | None = None,
    out_scale: float = 30.0,
    out_zero: int = 3,
    **attributes: Any,
) -> Module:
    """An int8 depthwise convolution with random weights; `padding` defaults to half the kernel; `out_scale` 30 keeps ratios below 1/2."""
    height, width, channels = shape
    rng = np.random.default_rng(channels)
    weights = rng.integers(-127, 128, (1, *kernel, channels)).astype(np.int8)
    scales = tuple(rng.uniform(0.02, 0.2, channels))
    w = TensorType(weights.shape, DType.INT8, Quantisation(scales, (0,) * channels, 3))
    b = TensorType((channels,), DType.INT32, Quantisation(tuple(s * 0.5 for s in scales), (0,) * channels, 0))
    bias = rng.integers(-20000, 20000, channels).astype(np.int32)
    top, bottom, left, right = padding = padding or (kernel[0] // 2,) * 2 + (kernel[1] // 2,) * 2
    out_h = (height + top + bottom - kernel[0]) // stride[0] + 1
    out_w = (width + left + right - kernel[1]) // stride[1] + 1
    defaults = {"stride": stride, "padding": padding, "dilation": (1, 1), "activation": "none"}
    operands = [i8(1, *shape, scale=0.5, zero=-7), fixed(weights, w, "w"), fixed(bias, b, "b")]
    result = i8(1, out_h, out_w, channels, scale=out_scale, zero=out_zero)
    return one_op("depthwise_conv2d", operands, [result], defaults | attributes)


def depthwise_chain(shape: tuple[int, int, int], windows: Sequence[Mapping[str, Any]], is_rectified: bool) -> Module:
    """One depthwise convolution behind the other, with a window each; all results are outputs, scaled so that they spread."""
    activation, zero = ("relu", -128) if is_rectified else ("none", 5)
    values, operations = [Value("x", i8(1, *shape, scale=0.5, zero=zero))], list[Operation]()
    for window in windows:
        height, width, channels = values[-1].type.shape[1:]
        (op,) = depthwise((height, width, channels), **window, activation=activation).infer.operations
        weights, bias = (replace(c, name=f"{c.name}{len(operations)}") for c in op.operands[1:])
        scale = values[-1].type.scale * weights.type.shape[1] * 6
        values.append(Value(f"y{len(operations)}", i8(*op.results[0].type.shape, scale=scale, zero=zero)))
        operations.append(Operation(op.kind, [values[-2], weights, bias], [values[-1]], op.attributes))
    return Module("chain", {"infer": Function("infer", values[:1], operations, values[1:])})


def assert_chip_computes(module: Module, optimize: str, folder: Path) -> None:
    """A chain on the emulated Cortex-M4 has the interpreter's bytes, which are spread enough to tell something."""
    x = random_input(module.infer.inputs[0].type, np.random.default_rng(1))
    assert all(len(np.unique(y)) > min(20, y.size // 10) for y in Interpreter(module).run([x]))
    assert_chip_equals_interpreter({"chain": module}, "mps2-an386", optimize, folder)
