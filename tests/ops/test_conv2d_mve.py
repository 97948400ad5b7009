"""Convolutions and dense layers for cores with Helium: in plain C on the host and on the emulated Cortex-M55, the interpreter's bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from chip_check import assert_chip_equals_interpreter
from lichen.ir.kernel import KernelCall
from lichen.ir.module import Module
from lichen.ir.operator import operator
from lichen.ir.types import DType, Quantisation, TensorType
from lichen.ops.conv2d_mve import blocks, channels
from native_check import MVE, assert_native_equals_interpreter
from ops_oracle import fixed, i8, one_op
from strategies import conv2d_modules, dense_modules


def convolution(
    shape: tuple[int, int, int],
    outputs: int,
    kernel: int = 1,
    stride: int = 1,
    dilation: int = 1,
    out_scale: float = 50.0,
) -> Module:
    """With random weights, and padding as wide as half the kernel."""
    rng = np.random.default_rng(outputs)
    weights = rng.integers(-128, 128, (outputs, kernel, kernel, shape[2]), np.int8)
    scales = tuple(rng.uniform(0.02, 0.2, outputs))
    w = TensorType(weights.shape, DType.INT8, Quantisation(scales, (0,) * outputs, 0))
    bias = fixed(rng.integers(-20000, 20000, outputs).astype(np.int32), TensorType((outputs,), DType.INT32), "b")
    pad = dilation * (kernel // 2)
    out = [(n + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1 for n in shape[:2]]
    window = {"stride": (stride,) * 2, "padding": (pad,) * 4, "dilation": (dilation,) * 2, "activation": "none"}
    operands = [i8(1, *shape, scale=0.5, zero=-7), fixed(weights, w, "w"), bias]
    return one_op("conv2d", operands, [i8(1, *out, outputs, scale=out_scale, zero=3)], window)


CASES = {
    "pixels as they are": convolution((3, 5, 16), 8),
    "every second pixel": convolution((5, 5, 16), 4, stride=2),
    "less than a vector": convolution((2, 3, 7), 5),
    "a vector and a part": convolution((2, 3, 37), 3),
    "one channel": convolution((4, 4, 1), 1),
    "first layer": convolution((7, 6, 3), 8, 3),
    "borders": convolution((5, 4, 6), 6, 3, stride=2),
    "kernel larger than the image": convolution((3, 3, 4), 2, 7),
    "taps apart": convolution((9, 9, 5), 4, 3, dilation=2),
    "some shifts to the left": convolution((3, 4, 4), 7, out_scale=0.05),
}


def call(module: Module) -> KernelCall:
    (operation,) = module.infer.operations
    return operator(operation.kind).lower(operation, MVE)


def test_only_whole_pixels_are_not_gathered() -> None:
    """Those of a 1x1 kernel without padding, whatever the stride; others have a patch of scratch."""
    whole = {name for name, module in CASES.items() if call(module).params["is_whole"]}
    assert whole == {
        "pixels as they are",
        "every second pixel",
        "less than a vector",
        "a vector and a part",
        "one channel",
        "some shifts to the left",
    }


def test_shifts_to_the_left_are_known() -> None:
    """They cost three instructions more for every four outputs, where there are any."""
    assert {name for name, module in CASES.items() if call(module).params["any_left"]} == {"some shifts to the left"}


def test_native_gives_the_interpreter_s_bytes() -> None:
    """Every way through the kernel, under sanitizers."""
    assert_native_equals_interpreter(list(CASES.values()), core=MVE)


@settings(max_examples=2, deadline=None, phases=[Phase.generate])
@given(st.lists(st.one_of(conv2d_modules("int8"), dense_modules("int8")), min_size=16, max_size=16))
def test_native_gives_the_interpreter_s_bytes_for_any_window(modules: list[Module]) -> None:
    """Random shapes, paddings, strides, dilations, quantisations and activations."""
    assert_native_equals_interpreter(modules, core=MVE)


@pytest.mark.parametrize("optimize", ["speed", "size"])
def test_the_chip_gives_the_interpreter_s_bytes(optimize: str, needs: Callable[..., None], tmp_path: Path) -> None:
    """The vectors, on the emulated Cortex-M55."""
    needs("arm-none-eabi-gcc", "qemu-system-arm")
    assert_chip_equals_interpreter(CASES, "mps3-an547", optimize, tmp_path)


def test_weights_lie_in_blocks() -> None:
    """Block by block of a group of four channels, 16 elements of each channel in turn; zeros where there is nothing."""
    weights = np.arange(5 * 18).reshape(5, 18)
    packed = blocks(weights).reshape(2, 2, 4, 16)
    np.testing.assert_array_equal(packed[0, 0], weights[:4, :16])
    np.testing.assert_array_equal(packed[0, 1, :, :2], weights[:4, 16:])
    np.testing.assert_array_equal(packed[1, 0, 0], weights[4, :16])
    assert not packed[0, 1, :, 2:].any() and not packed[1, :, 1:].any()


def test_what_channels_need_lies_by_fours() -> None:
    """Biases, mantissas and shifts of four channels in turn."""
    table = channels(np.arange(5), np.arange(10, 15), np.arange(20, 25)).data
    assert table.tolist() == [0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23, 4, 0, 0, 0, 14, 0, 0, 0, 24, 0, 0, 0]
