"""Sums of products on AVR, whose innermost loops are written in assembly: the emulated ATmega328P gives the interpreter's bytes."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from graphs import int8
from lichen.compiler import compile_model
from lichen.device.executor import open_executor
from lichen.ir.interpret import Interpreter
from lichen.ir.module import Function, Module, Operation, Value, constant
from lichen.ir.types import DType, Quantisation, TensorType
from lichen.targets.board import load_board
from lichen.targets.build import build_firmware
from lichen.targets.folder import open_folder
from native_check import random_input

pytestmark = pytest.mark.skipif(shutil.which("avr-gcc") is None, reason="avr-gcc is not installed: apt install gcc-avr")

RNG = np.random.default_rng(5)


def layer(kind: str, x: Value, weights: tuple[int, ...], result: tuple[int, ...], **attributes: object) -> Operation:
    """A layer with random weights, one scale for each of its output channels."""
    axis = 3 if kind == "depthwise_conv2d" else 0
    channels = weights[axis]
    q = Quantisation(tuple(RNG.uniform(0.001, 0.02, channels).astype(np.float32).astype(float)), (0,) * channels, axis)
    name = f"{kind}_{'x'.join(map(str, weights))}_{len(attributes)}_{RNG.integers(10**6)}"
    operands = [
        x,
        constant(f"{name}_w", RNG.integers(-127, 128, weights), TensorType(weights, DType.INT8, q)),
        constant(f"{name}_b", RNG.integers(-9000, 9000, (channels,)), TensorType((channels,), DType.INT32)),
    ]
    y = Value(f"{name}_y", int8(result, 0.3, int(RNG.integers(-128, 128))))
    return Operation(kind, operands, [y], {"activation": "none", **attributes})


def dense_layers() -> Module:
    """Rows of every length modulo the unrolled loop, and longer than a byte can count."""
    inputs = [
        Value(f"x{n}", int8((2, n), 0.05, zero))
        for n, zero in ((1, 0), (2, -128), (3, 127), (4, 5), (7, -9), (301, -7))
    ]
    layers = [layer("dense", x, (o, x.type.shape[1]), (2, o)) for x, o in zip(inputs, (1, 5, 4, 3, 9, 6), strict=True)]
    return Module("dense", {"infer": Function("infer", inputs, layers, [op.results[0] for op in layers])})


def windows(kind: str) -> Module:
    """One image under windows with and without padding, strides and dilation."""
    x = Value("x", int8((1, 6, 5, 3), 0.05, -77))
    geometries = [
        # kernel, stride, padding, dilation, output
        ((3, 3), (1, 1), (1, 1, 1, 1), (1, 1), (6, 5)),
        ((3, 3), (2, 2), (0, 1, 0, 1), (1, 1), (3, 2)),
        ((2, 4), (1, 1), (0, 0, 0, 0), (1, 1), (5, 2)),
        ((3, 2), (1, 2), (2, 2, 1, 1), (2, 2), (6, 3)),
        ((1, 1), (1, 1), (0, 0, 0, 0), (1, 1), (6, 5)),
    ]
    layers = []
    for index, (kernel, stride, padding, dilation, output) in enumerate(geometries):
        outputs = 3 * (1 + index % 2) if kind == "depthwise_conv2d" else 2 + index
        weights = (1, *kernel, outputs) if kind == "depthwise_conv2d" else (outputs, *kernel, 3)
        place = {"stride": stride, "padding": padding, "dilation": dilation}
        layers.append(layer(kind, x, weights, (1, *output, outputs), **place))
    return Module("windows", {"infer": Function("infer", [x], layers, [op.results[0] for op in layers])})


@pytest.mark.parametrize("optimize", ["speed", "size"])
@pytest.mark.parametrize(
    "module",
    [dense_layers(), windows("conv2d"), windows("depthwise_conv2d")],
    ids=["dense", "conv2d", "depthwise_conv2d"],
)
def test_sums_are_the_interpreters(module: Module, optimize: str, tmp_path: Path) -> None:
    """Random and extreme inputs, under both ways to compile; no table of shapes is left in RAM."""
    inputs = module.infer.inputs
    rng = np.random.default_rng(0)
    samples = [[random_input(value.type, rng) for value in inputs] for _ in range(3)]
    samples += [[np.full(value.type.shape, extreme, np.int8) for value in inputs] for extreme in (-128, 127)]
    folder = open_folder(compile_model(module, "uno", tmp_path / "model", optimize=optimize).path)
    with open_executor(folder, "simavr") as executor:
        outputs = executor.run([np.stack(arrays) for arrays in zip(*samples, strict=True)])
    interpreter = Interpreter(module)
    for index, sample in enumerate(samples):
        for value, expected, got in zip(module.infer.outputs, interpreter.run(sample), outputs, strict=True):
            np.testing.assert_array_equal(got[index], expected, err_msg=f"sample {index}, {value.name}")
    assert [s.name for s in build_firmware(folder, load_board("uno")).size.symbols if s.in_flash and s.in_ram] == []
