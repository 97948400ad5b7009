"""Depthwise convolutions for cores with DSP instructions: in plain C on the host and on the emulated Cortex-M4, the interpreter's bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from depthwise_cases import assert_chip_computes, depthwise, depthwise_chain
from lichen.backend.program import plan_module
from lichen.ir.kernel import KernelCall
from lichen.ir.module import Attribute, Function, Module, Operation, Value
from lichen.ir.operator import operator
from lichen.ops.depthwise_conv2d_dsp import pack
from native_check import DSP, assert_native_equals_interpreter
from ops_oracle import fixed, i8
from strategies import depthwise_modules

CASES = {
    **{f"{k} wide, stride {s}": depthwise((9, 10, 4), (5, k), (s, s)) for k in (1, 2, 3, 4, 5, 7, 9) for s in (1, 2)},
    **{f"{k} high": depthwise((9, 7, 4), (k, 3)) for k in (1, 4, 7)},
    **{f"{n} columns": depthwise((4, n, 5), (5, 3)) for n in (1, 2, 3, 5)},
    **{f"{n} columns, stride 2": depthwise((4, n, 4), (5, 5), (2, 2)) for n in (3, 4, 5)},
    **{f"{n} channels": depthwise((3, 5, n), (5, 3)) for n in (6, 7, 9)},
    "tiles beside each other": depthwise((5, 61, 4), (5, 3)),
    "tiles beside each other, stride 2": depthwise((6, 83, 4), (5, 5), (2, 2)),
    "bands": depthwise((41, 14, 6), (5, 3)),
    "bands and tiles, not all of them whole": depthwise((23, 45, 7), (7, 7)),
    "kernel larger than the image": depthwise((3, 3, 6), (7, 7)),
    "rows passed over": depthwise((9, 9, 4), (2, 3), (3, 2)),
    "no padding": depthwise((7, 9, 4), (5, 3), padding=(0, 0, 0, 0)),
    "odd padding": depthwise((7, 9, 4), (5, 5), padding=(1, 4, 3, 0)),
    "ratios of one half and more": depthwise((4, 6, 5), out_scale=0.01),
    "rectified": depthwise((4, 6, 5), (5, 3), activation="relu6"),
    "rectified and saturated": depthwise((4, 6, 5), (5, 3), activation="relu"),
}


def call(module: Module) -> KernelCall:
    op = module.infer.operations[0]
    return operator(op.kind).lower(op, DSP)


def test_native_gives_the_interpreter_s_bytes() -> None:
    """Every way through the kernel, under sanitizers."""
    assert all(call(module).kernel == "depthwise_conv2d_s8_dsp" for module in CASES.values())
    assert_native_equals_interpreter(list(CASES.values()), core=DSP)


@settings(max_examples=2, deadline=None, phases=[Phase.generate])
@given(st.lists(depthwise_modules("int8"), min_size=16, max_size=16))
def test_native_gives_the_interpreter_s_bytes_for_any_window(modules: list[Module]) -> None:
    """Random shapes, paddings, strides, dilations, multipliers, quantisations and activations, whichever kernel serves."""
    assert_native_equals_interpreter(modules, core=DSP)


WINDOWS = [
    {"kernel": (k, k), "stride": (s, s)}
    for k, s in [(5, 1), (7, 1), (5, 2), (7, 2), (2, 1), (9, 1), (9, 2), (5, 1), (7, 1), (5, 2)]
] + [{"kernel": (5, 3)}, {"kernel": (5, 3), "stride": (2, 2)}]
"""Windows of every width and stride that has a loop of its own, over any rest of columns."""


@pytest.mark.parametrize("is_rectified", [False, True])
@pytest.mark.parametrize("optimize", ["speed", "size"])
def test_the_chip_gives_the_interpreter_s_bytes(
    optimize: str, is_rectified: bool, needs: Callable[..., None], tmp_path: Path
) -> None:
    """The assembly, on the emulated Cortex-M4."""
    needs("arm-none-eabi-gcc", "qemu-system-arm")
    assert_chip_computes(depthwise_chain((37, 36, 6), WINDOWS, is_rectified), optimize, tmp_path)


def test_packed_weights_read_back() -> None:
    """SXTB16 of a word and of the word rotated by a byte are the words of weights in their order."""
    rng = np.random.default_rng(1)
    weights = rng.integers(-127, 128, (5, 3, 5)).astype(np.int8)
    packed = pack(weights, 3).reshape(5, -1, 4).astype(int)
    words = np.stack([packed[:, :, [0, 2]], packed[:, :, [1, 3]]], axis=2).reshape(5, -1, 2)
    rows = words[:, :9].reshape(5, 3, 6)
    assert not words[:, 9:].any()
    np.testing.assert_array_equal(rows[:, :, :5], weights)
    assert not rows[:, :, 5:].any()


def test_a_layer_that_is_the_peak_takes_the_lean_kernel() -> None:
    """Alone it would need far more than its input, so it computes row by row; beside a larger tensor a band of rows costs nothing."""
    small = depthwise((40, 40, 32), (5, 5))
    assert tile_rows(small) == 1
    x, w = small.infer.inputs[0], small.infer.operations[0]
    wide = Value("wide", i8(1, 40, 40, 64))
    weights = fixed(np.ones((64, 1, 1, 32), np.int8), i8(64, 1, 1, 32), "v")
    attributes: dict[str, Attribute] = {"stride": (1, 1), "padding": (0,) * 4, "dilation": (1, 1), "activation": "none"}
    more = Operation("conv2d", [w.results[0], weights], [wide], attributes)
    assert tile_rows(Module("m", {"infer": Function("infer", [x], [w, more], [wide])})) > 1


def tile_rows(module: Module) -> float:
    """Rows of a tile of the first operation."""
    return plan_module(module, DSP).infer.steps[0].calls[0].params["tile_rows"]
