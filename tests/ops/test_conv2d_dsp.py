"""Convolutions and dense layers for cores with DSP instructions: in plain C on the host and on the emulated Cortex-M4, the interpreter's bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from chip_check import assert_chip_equals_interpreter
from lichen.backend.program import plan_module
from lichen.ir.kernel import KernelCall
from lichen.ir.module import Module
from lichen.ir.operator import operator
from lichen.ir.types import DType, Quantisation, TensorType
from lichen.ops.conv2d_dsp import packed_words, patch_order, stream
from lichen.plan.rows import Streams, row_call, row_calls
from native_check import DSP, assert_native_equals_interpreter
from ops_oracle import fixed, i8, one_op
from strategies import conv2d_modules, dense_modules


def call(module: Module) -> KernelCall:
    op = module.infer.operations[0]
    return operator(op.kind).lower(op, DSP)


def convolution(
    shape: tuple[int, int, int],
    outputs: int,
    kernel: tuple[int, int] = (1, 1),
    magnitude: int = 127,
    out_scale: float = 50.0,
    padding: tuple[int, int, int, int] = (0, 0, 0, 0),
    lowest: int = -127,
    **attributes: Any,
) -> Module:
    """An int8 convolution with random weights up to `magnitude`; `out_scale` 50 keeps ratios below 1/2 and outputs spread."""
    rng = np.random.default_rng(outputs)
    height, width, channels = shape
    weights = rng.integers(-magnitude, magnitude, (outputs, *kernel, channels), np.int8, endpoint=True)
    weights[0, 0, 0, 0], weights[-1, 0, 0, 0] = -1, lowest
    scales = tuple(rng.uniform(0.02, 0.2, outputs))
    w = TensorType(weights.shape, DType.INT8, Quantisation(scales, (0,) * outputs, 0))
    b = TensorType((outputs,), DType.INT32, Quantisation(tuple(s * 0.5 for s in scales), (0,) * outputs, 0))
    bias = rng.integers(-20000, 20000, outputs).astype(np.int32)
    stride_h, stride_w = attributes.get("stride", (1, 1))
    out_h = (height + padding[0] + padding[1] - kernel[0]) // stride_h + 1
    out_w = (width + padding[2] + padding[3] - kernel[1]) // stride_w + 1
    defaults = {"stride": (1, 1), "padding": padding, "dilation": (1, 1), "activation": "none"}
    operands = [i8(1, *shape, scale=0.5, zero=-7), fixed(weights, w, "w"), fixed(bias, b, "b")]
    result = i8(1, out_h, out_w, outputs, scale=out_scale, zero=3)
    return one_op("conv2d", operands, [result], defaults | attributes)


CASES = {
    "one pixel": convolution((1, 1, 16), 5),
    "two pixels": convolution((1, 2, 16), 4),
    "three pixels, one of them twice": convolution((1, 3, 16), 4),
    "a tile over the ends of rows": convolution((3, 3, 8), 6),
    "one word": convolution((3, 3, 2), 3),
    "three elements": convolution((3, 3, 3), 3),
    "groups of every count": convolution((2, 4, 28), 2),
    "one channel": convolution((4, 4, 4), 1),
    "first layer": convolution((7, 6, 3), 8, (3, 3), padding=(1, 1, 1, 1)),
    "border of fours": convolution((5, 5, 4), 4, (3, 3), padding=(1, 1, 1, 1)),
    "border of odd channels": convolution((5, 5, 5), 4, (3, 3), padding=(1, 1, 1, 1)),
    "kernel larger than the image": convolution((3, 3, 4), 2, (5, 5), padding=(2, 2, 2, 2)),
    "ratios of one half and more": convolution((3, 4, 4), 4, out_scale=0.01),
    "rectified": convolution((3, 4, 8), 4, activation="relu"),
    "sums in parts": convolution((1, 5, 1200), 3, magnitude=127, out_scale=500.0),
    "long patches in one part": convolution((1, 4, 1200), 3, magnitude=20, out_scale=100.0),
}


def test_native_gives_the_interpreter_s_bytes() -> None:
    """Every way through the kernel, under sanitizers."""
    assert_native_equals_interpreter(list(CASES.values()), core=DSP)


@settings(max_examples=2, deadline=None, phases=[Phase.generate])
@given(st.lists(st.one_of(conv2d_modules("int8"), dense_modules("int8")), min_size=16, max_size=16))
def test_native_gives_the_interpreter_s_bytes_for_any_window(modules: list[Module]) -> None:
    """Random shapes, paddings, strides, dilations, quantisations and activations."""
    assert_native_equals_interpreter(modules, core=DSP)


@pytest.mark.parametrize("optimize", ["speed", "size"])
def test_the_chip_gives_the_interpreter_s_bytes(optimize: str, needs: Callable[..., None], tmp_path: Path) -> None:
    """The assembly, on the emulated Cortex-M4."""
    needs("arm-none-eabi-gcc", "qemu-system-arm")
    assert_chip_equals_interpreter(CASES, "mps2-an386", optimize, tmp_path)


def test_how_many_patches_at_a_time() -> None:
    """Four, unless there are not as many or the sums of a second channel could leave 24 bits."""
    tiles = {name: call(module).params["tile"] for name, module in CASES.items()}
    alone = {"one pixel", "two pixels", "sums in parts"}
    assert tiles == {name: 1 if name in alone else 4 for name in CASES}


PAIRS = {
    "columns of both": convolution((4, 6, 60), 5, (3, 3), magnitude=20, padding=(1, 1, 1, 1)),
    "an odd number of columns": convolution((3, 5, 60), 4, (3, 3), magnitude=20, padding=(1, 1, 1, 1)),
    "a column of both": convolution((6, 8, 60), 4, (3, 3), magnitude=20, padding=(0, 1, 0, 1), stride=(2, 2)),
    "no column of both": convolution((2, 7, 300), 3, magnitude=20, stride=(1, 2)),
    "a high kernel": convolution((7, 4, 52), 1, (6, 1), magnitude=20),
}


@pytest.mark.parametrize("index", [0, 1, 2])
def test_every_number_of_patches_gives_the_interpreter_s_bytes(index: int) -> None:
    """Rows computed four pixels at a time, two, and one, by what there is of scratch."""
    regions = []
    for module in PAIRS.values():
        (op,) = module.infer.operations
        region = Streams(module.infer).region(0, 1)
        calls = row_calls(region, op, DSP)
        assert [c.params["tile"] for c in calls] == [4, 2, 1]
        assert [c.scratch.bytes for c in calls] == sorted((c.scratch.bytes for c in calls), reverse=True)
        assert row_call(region, op, DSP, calls[index].scratch.bytes).params == calls[index].params
        regions.append([replace(region, scratch=calls[index].scratch.bytes)])
    modules = list(PAIRS.values())
    assert_native_equals_interpreter(modules * 2, core=DSP, regions=regions * 2)


def test_weights_out_of_form_take_the_plain_kernel() -> None:
    """-128 has no lane beside a negative weight; no converter writes it. Bytes stay the same."""
    module = convolution((3, 3, 4), 2, lowest=-128)
    assert call(module).kernel == "conv2d_s8"
    assert_native_equals_interpreter([module], core=DSP)


@given(st.integers(1, 5), st.integers(1, 40))
def test_patch_order_holds_every_element_once(rows: int, run: int) -> None:
    """Each in its place; what is added is -1, and at most enough for a whole number of pairs of words."""
    order = patch_order(rows, run)
    assert sorted(order[order >= 0]) == list(range(rows * run))
    assert len(order) % 4 == 0
    assert len(order) < rows * (run + 1) + 4


def test_packed_weights_read_back() -> None:
    """Both channels of a pair come out of the lanes as the kernel computes them."""
    rng = np.random.default_rng(1)
    weights = rng.integers(-127, 128, (6, 3, 5), np.int8)
    words = packed_words(weights)
    assert words is not None
    lanes = words.view("<i2").astype(np.int32)
    first = lanes.astype(np.int8).astype(np.int32)  # what SXTB16 leaves
    second = (lanes - first) >> 8
    order = patch_order(3, 5)
    for got, wanted in ((first, weights[::2]), (second, weights[1::2])):
        np.testing.assert_array_equal(got[:, order >= 0], wanted.reshape(3, -1)[:, order[order >= 0]])
        assert not got[:, order < 0].any()


def test_the_stream_holds_what_the_kernel_reads_next() -> None:
    """Bias, words, scale; bias and scale of the second channel, zeros where there is none."""
    words = np.arange(4, dtype=np.int32).reshape(2, 2)
    table = stream(words, np.array([10, 11, 12]), np.array([20, 21, 22]), np.array([30, 31, 32]))
    assert table.tolist() == [10, 0, 1, 20, 30, 11, 21, 31, 12, 2, 3, 22, 32, 0, 0, 0]


def test_a_dense_layer_over_much_takes_the_kernel_without_scratch() -> None:
    """Alone it would need three times its input; beside a large tensor it may."""
    weights = TensorType((4, 4000), DType.INT8, Quantisation.per_tensor(0.01, 0))
    layer = one_op(
        "dense", [i8(1, 4000), fixed(np.ones((4, 4000), np.int8), weights, "w")], [i8(1, 4)], {"activation": "none"}
    )
    assert call(layer).kernel == "conv2d_s8_dsp"
    program = plan_module(layer, DSP)
    assert program.infer.steps[0].calls[0].kernel == "conv2d_s8"
    assert program.arena_bytes < 4100
    assert_native_equals_interpreter([layer], core=DSP)
