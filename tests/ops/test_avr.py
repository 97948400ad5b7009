"""Sums of products on AVR, whose innermost loops are written in assembly: the emulated ATmega328P gives the interpreter's bytes."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from conv_strategies import convolutional_graphs
from graphs import int8
from lichen.compiler import compile_model
from lichen.device.executor import open_executor
from lichen.errors import DoesNotFitError
from lichen.ir.interpret import Interpreter
from lichen.ir.module import Array, Function, Module, Operation, Value, constant
from lichen.ir.operator import operator
from lichen.ir.types import DType, Quantisation, TensorType
from lichen.targets.board import load_board
from lichen.targets.build import build_firmware
from lichen.targets.folder import open_folder
from native_check import AVR, random_input
from scaled_sums import FEW_INPUTS, every_shift, from_biases

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
    check(module, samples, tmp_path / "model", optimize)
    firmware = build_firmware(open_folder(tmp_path / "model"), load_board("uno"))
    assert [s.name for s in firmware.size.symbols if s.in_flash and s.in_ram] == []


def check(
    module: Module, samples: Sequence[Sequence[Array]], path: Path, optimize: str, schedule: str = "layers"
) -> None:
    """Every byte of every output, on simavr."""
    folder = open_folder(compile_model(module, "uno", path, optimize, schedule).path)
    with open_executor(folder, "simavr") as executor:
        outputs = executor.run([np.stack(arrays) for arrays in zip(*samples, strict=True)])
    interpreter = Interpreter(module)
    for index, sample in enumerate(samples):
        for value, expected, got in zip(module.infer.outputs, interpreter.run(sample), outputs, strict=True):
            np.testing.assert_array_equal(got[index], expected, err_msg=f"sample {index}, {value.name}")


def block_of(module: Module) -> int | float:
    """How many channels the kernel of the only layer computes at once on AVR."""
    (layer,) = module.infer.operations
    return operator(layer.kind).lower(layer, AVR).params["block"]


@pytest.mark.parametrize("activation", ["none", "relu"])
@pytest.mark.parametrize("power_of_two", [False, True], ids=["any", "halves"])
def test_every_shift_rounds_as_the_interpreter_does(power_of_two: bool, activation: str, tmp_path: Path) -> None:
    """Sums from 1 to 2^23, of both signs, at shifts from 1 to 31; with ratios that are powers of two many end in one half."""
    module = every_shift(power_of_two, activation)
    assert block_of(module) == 4
    check(module, FEW_INPUTS, tmp_path / "model", "speed")


@pytest.mark.parametrize("what", ["wide", "left", "long"])
def test_what_three_bytes_do_not_hold_is_computed_channel_by_channel(what: str, tmp_path: Path) -> None:
    """A sum of 24 bits, a multiplier above one, and more taps than the loop counts: same bytes, by the loops for one channel."""
    biases, ratios = np.array([2**23, 5, -700, 90, 1, 2**30]), np.full(6, 1e-5)
    if what == "long":
        x = Value("x", int8((1, 1024), 0.05, -3))
        dense = layer("dense", x, (5, 1024), (1, 5))
        module = Module("long", {"infer": Function("infer", [x], [dense], dense.results)})
    else:
        module = from_biases(biases, ratios) if what == "wide" else from_biases(biases % 2**9, ratios * 2e5)
    assert block_of(module) == 1
    rng = np.random.default_rng(0)
    samples = [[random_input(module.infer.inputs[0].type, rng)] for _ in range(3)]
    check(module, samples, tmp_path / "model", "size")


@settings(max_examples=5, deadline=None, phases=[Phase.generate])
@given(module=convolutional_graphs(), schedule=st.sampled_from(["layers", "stream"]), seed=st.integers(0, 9))
def test_rows_in_rings(module: Module, schedule: str, seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Any int8 network of windows, layer by layer and by rows, whose taps wrap at the end of a ring."""
    assume(not module.infer.inputs[0].type.dtype.is_float)
    rng = np.random.default_rng(seed)
    samples = [[random_input(value.type, rng) for value in module.infer.inputs] for _ in range(2)]
    try:
        check(module, samples, tmp_path_factory.mktemp("rings") / "model", "speed", schedule)
    except DoesNotFitError:
        assume(False)
