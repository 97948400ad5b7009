"""Depthwise convolutions with 3x3 kernels for cores with DSP instructions, row by row: the interpreter's bytes on host and chip."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from depthwise_cases import assert_chip_computes, depthwise, depthwise_chain
from lichen.ir.kernel import KernelCall, Scratch
from lichen.ir.module import Module
from lichen.ir.operator import operator
from lichen.ops.depthwise_3x3_dsp import pack
from native_check import DSP, assert_native_equals_interpreter

CASES = {
    **{
        f"padding {padding}, stride {stride}": depthwise((6, 7, 4), stride=stride, padding=padding)
        for padding in ((0, 0, 0, 0), (1, 1, 1, 1), (0, 1, 0, 1), (1, 0, 1, 0), (2, 2, 1, 1))
        for stride in ((1, 1), (2, 2), (1, 2), (3, 1))
    },
    **{
        f"{n} columns, stride {s}": depthwise((4, n, 5), stride=(s, s))
        for n in (2, 3, 4, 5, 12)
        for s in (1, 2)
        if n > s
    },
    **{f"{n} rows": depthwise((n, 6, 4)) for n in (1, 2)},
    **{f"{n} channels": depthwise((3, 5, n)) for n in (6, 7, 8, 9, 13)},
    "rectified": depthwise((4, 6, 5), activation="relu", out_zero=-128),
}


def call(module: Module) -> KernelCall:
    op = module.infer.operations[0]
    return operator(op.kind).lower(op, DSP)


def test_native_gives_the_interpreter_s_bytes() -> None:
    """Every padding, stride and rest of channels, under sanitizers; as fast loops and as short ones."""
    for module in CASES.values():
        found = call(module)
        assert found.kernel == "depthwise_3x3_s8_dsp" and not any(isinstance(a, Scratch) for a in found.arguments)
    modules = [module for module in CASES.values() for _ in range(2)]  # one of two is compiled for size
    assert_native_equals_interpreter(modules, core=DSP)


@pytest.mark.parametrize(
    "module",
    [
        depthwise((6, 7, 4), padding=(1, 1, 2, 1)),
        depthwise((6, 7, 4), padding=(1, 1, 1, 2)),
        depthwise((4, 6, 5), out_scale=0.01),
        depthwise((4, 6, 5), (3, 5)),
        depthwise((4, 6, 5), activation="relu6", out_scale=1.0),
    ],
)
def test_the_general_kernel_takes_the_others(module: Module) -> None:
    """Two columns of padding, ratios of one half and more, other kernels, a clamp within int8."""
    assert call(module).kernel == "depthwise_conv2d_s8_dsp"


WINDOWS = [
    {"stride": (stride, stride), "padding": (1, 1, left, right)}
    for stride, (left, right) in product((1, 1, 2), ((1, 1), (0, 1), (1, 0)))
]
"""Both strides over odd and even numbers of columns."""


@pytest.mark.parametrize("is_rectified", [False, True])
@pytest.mark.parametrize("optimize", ["speed", "size"])
def test_the_chip_gives_the_interpreter_s_bytes(
    optimize: str, is_rectified: bool, needs: Callable[..., None], tmp_path: Path
) -> None:
    """The assembly, on the emulated Cortex-M4."""
    needs("arm-none-eabi-gcc", "qemu-system-arm")
    assert_chip_computes(depthwise_chain((29, 26, 7), WINDOWS, is_rectified), optimize, tmp_path)


def test_packed_weights_read_back() -> None:
    """SXTB16 of a word and of the word rotated by a byte are two words of a pair's columns."""
    rng = np.random.default_rng(1)
    weights = rng.integers(-128, 128, (6, 3, 3)).astype(np.int8)
    packed, ends = pack(weights, np.arange(6), np.arange(12).reshape(6, 2))
    words = packed.reshape(4, 5, 4).astype(int)
    lanes = np.stack([words[:, :, [0, 2]], words[:, :, [1, 3]]], axis=2).reshape(4, 10, 2)
    assert not lanes[:, 9].any()
    for pair, (c, d) in enumerate([(0, 2), (1, 3), (2, 4), (3, 5)]):
        for column in range(3):
            first, second, lowest = lanes[pair, 3 * column : 3 * column + 3]
            np.testing.assert_array_equal(first, weights[c, :2, column])
            np.testing.assert_array_equal(second, weights[d, :2, column])
            np.testing.assert_array_equal(lowest, weights[[c, d], 2, column])
        assert list(ends[pair]) == [c, d, 2 * c, 2 * c + 1, 2 * d, 2 * d + 1]
