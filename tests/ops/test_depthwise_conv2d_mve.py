"""Depthwise convolutions for cores with Helium: in plain C on the host and on the emulated Cortex-M55, the interpreter's bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from chip_check import assert_chip_equals_interpreter
from lichen.ir.interpret import Interpreter
from lichen.ir.module import Module
from lichen.ir.operator import operator
from lichen.ir.types import DType, Quantisation, TensorType
from lichen.ops.depthwise_conv2d_mve import even_and_odd
from native_check import MVE, assert_native_equals_interpreter, run_natively
from ops_oracle import fixed, i8, one_op
from strategies import depthwise_modules


def depthwise(
    shape: tuple[int, int, int],
    kernel: int = 3,
    stride: int = 1,
    dilation: int = 1,
    out_scale: float = 5.0,
    magnitude: int = 127,
    multiplier: int = 1,
) -> Module:
    """With random weights up to `magnitude`, the first two of them extreme, and padding as wide as half the kernel."""
    rng = np.random.default_rng(shape[2])
    outputs = shape[2] * multiplier
    weights = rng.integers(-magnitude, magnitude, (1, kernel, kernel, outputs), endpoint=True)
    weights = np.clip(weights, -128, 127).astype(np.int8)
    weights[0, 0, :2] = -magnitude
    scales = tuple(rng.uniform(0.02, 0.2, outputs))
    w = TensorType(weights.shape, DType.INT8, Quantisation(scales, (0,) * outputs, 3))
    bias = fixed(rng.integers(-9000, 9000, outputs).astype(np.int32), TensorType((outputs,), DType.INT32), "b")
    pad = dilation * (kernel // 2)
    out = [(n + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1 for n in shape[:2]]
    window = {"stride": (stride,) * 2, "padding": (pad,) * 4, "dilation": (dilation,) * 2, "activation": "none"}
    result = i8(1, *out, outputs, scale=out_scale, zero=3)
    return one_op(
        "depthwise_conv2d", [i8(1, *shape, scale=0.5, zero=-7), fixed(weights, w, "w"), bias], [result], window
    )


CASES = {
    "eights": depthwise((5, 6, 16)),
    "eights and a part": depthwise((5, 6, 13)),
    "a part": depthwise((6, 5, 3)),
    "every second pixel": depthwise((7, 8, 8), stride=2),
    "an even number of taps": depthwise((4, 5, 9), kernel=2),
    "large kernel": depthwise((9, 9, 10), kernel=7),
    "kernel larger than the image": depthwise((2, 3, 8), kernel=5),
    "taps apart": depthwise((8, 9, 9), dilation=2),
    "some shifts to the left": depthwise((4, 4, 9), out_scale=0.02),
}


def kernel(module: Module) -> str:
    (operation,) = module.infer.operations
    return operator("depthwise_conv2d").lower(operation, MVE).kernel


def test_native_gives_the_interpreter_s_bytes() -> None:
    """Every way through the kernel, under sanitizers."""
    assert {kernel(module) for module in CASES.values()} == {"depthwise_conv2d_s8_mve"}
    assert_native_equals_interpreter(list(CASES.values()), core=MVE)


def test_other_kernels_serve_where_it_cannot() -> None:
    """Two neighbouring weights of -128, whose products int16 does not hold; several outputs of an input; a single input channel, over which a
    depthwise convolution is an ordinary one.
    """
    beyond, several, single = (
        depthwise((3, 3, 8), magnitude=128),
        depthwise((3, 3, 8), multiplier=2),
        depthwise((3, 3, 1), multiplier=4),
    )
    assert [kernel(module) for module in (several, single)] == ["depthwise_conv2d_s8", "conv2d_s8_mve"]
    assert kernel(beyond) != "depthwise_conv2d_s8_mve"
    assert_native_equals_interpreter([beyond, several, single], core=MVE)


def test_two_products_fill_int16() -> None:
    """The farthest input times the farthest weights, natively: nothing wraps."""
    module = depthwise((3, 3, 8), out_scale=40.0)
    inputs = [[np.full((1, 3, 3, 8), x, np.int8)] for x in (-128, 127)]
    ((low, high),) = run_natively([module], [inputs], MVE)
    for x, got in zip(inputs, (low, high), strict=True):
        np.testing.assert_array_equal(got[0], Interpreter(module).run(x)[0])


@settings(max_examples=2, deadline=None, phases=[Phase.generate])
@given(st.lists(depthwise_modules("int8"), min_size=16, max_size=16))
def test_native_gives_the_interpreter_s_bytes_for_any_window(modules: list[Module]) -> None:
    """Random shapes, paddings, strides, dilations, quantisations and activations."""
    assert_native_equals_interpreter(modules, core=MVE)


@pytest.mark.parametrize("optimize", ["speed", "size"])
def test_the_chip_gives_the_interpreter_s_bytes(optimize: str, needs: Callable[..., None], tmp_path: Path) -> None:
    """The vectors, on the emulated Cortex-M55."""
    needs("arm-none-eabi-gcc", "qemu-system-arm")
    assert_chip_equals_interpreter(CASES, "mps3-an547", optimize, tmp_path)


def test_even_channels_lie_before_odd_ones() -> None:
    """Of each eight channels, column by column; zeros where there is none."""
    table = even_and_odd(np.arange(9), np.arange(10, 19))
    assert table[:16].tolist() == [0, 2, 4, 6, 1, 3, 5, 7, 10, 12, 14, 16, 11, 13, 15, 17]
    assert table[16:].tolist() == [8, 0, 0, 0, 0, 0, 0, 0, 18, 0, 0, 0, 0, 0, 0, 0]
