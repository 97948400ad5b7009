"""Sums and products for cores with DSP instructions or Helium: in plain C on the host and on the emulated chip, the interpreter's bytes."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from chip_check import assert_chip_equals_interpreter
from element_strategies import BROADCASTS, binary_modules
from lichen.ir.interpret import Interpreter
from lichen.ir.kernel import Core
from lichen.ir.module import Module
from lichen.ir.operator import operator
from native_check import DSP, MVE, assert_native_equals_interpreter, run_natively
from ops_oracle import i8, one_op

CORES = (DSP, MVE)
PAIRS = np.mgrid[-128:128, -128:128].astype(np.int8).reshape(2, 1, -1)
TRAINED, TIED = (0.0371893, 0.0210471, 0.0491377), (0.037, 0.021, 0.05)
"""Scales of operands and result: as training gives them, and of a kind that makes ties."""


def binary(
    kind: str,
    scales: tuple[float, float, float],
    activation: str = "none",
    shapes: tuple[tuple[int, ...], tuple[int, ...]] = ((1, 65536), (1, 65536)),
    zeros: tuple[int, int, int] = (-3, 7, 4),
) -> Module:
    """One operation of two int8 inputs."""
    types = [i8(*shape, scale=s, zero=z) for shape, s, z in zip(shapes, scales, zeros, strict=False)]
    result = i8(*np.broadcast_shapes(*shapes), scale=scales[2], zero=zeros[2])
    return one_op(kind, types, [result], {"activation": activation})


def kernel(module: Module, core: Core) -> str:
    (operation,) = module.infer.operations
    return operator(operation.kind).lower(operation, core).kernel


CASES = {
    "linear": (binary("add", TRAINED), "add_linear_s8_dsp"),
    "linear, rectified": (binary("add", TRAINED, "relu"), "add_linear_s8_dsp"),
    "linear, the wider operand second": (binary("add", (0.021, 0.0371, 0.0333)), "add_linear_s8_dsp"),
    "difference": (binary("sub", TRAINED), "add_linear_s8_dsp"),
    "halves": (binary("add", (1.0, 1.0, 2.0)), "add_linear_s8_dsp"),
    "ties": (binary("add", TIED), "add_s8_dsp"),
    "ties, limited": (binary("add", TIED, "relu6"), "add_s8_dsp"),
    "ties, the wider operand second": (binary("add", (0.021, 0.037, 0.05)), "add_s8_dsp"),
    "ties of a difference": (binary("sub", TIED), "add_s8"),
    "a fine result": (binary("add", (1.0, 0.31, 0.1)), "add_s8_dsp"),
    "product": (binary("mul", (0.03, 0.021, 0.07)), "mul_s8_dsp"),
    "product, limited": (binary("mul", (0.03, 0.021, 0.05), "relu6"), "mul_s8_dsp"),
    "product with ties": (binary("mul", (1 / 16, 1 / 8, 1.0)), "mul_s8_dsp"),
    "product of a fine result": (binary("mul", (0.5, 1.0, 1.0)), "mul_s8"),
}


def test_each_way_is_taken() -> None:
    """Linear sums wherever that is exact, all roundings elsewhere. Plain kernels have differences of that kind, and ratios of 1/2 and more."""
    for name, (module, expected) in CASES.items():
        assert kernel(module, DSP) == expected, name


def test_vectors_wherever_runs_are_of_neighbours() -> None:
    """Helium for linear sums, and for products unless an operand stays the same; the kernels with DSP instructions elsewhere."""
    for name, (module, expected) in CASES.items():
        has_vectors = expected in ("add_linear_s8_dsp", "mul_s8_dsp")
        assert kernel(module, MVE) == (expected.replace("dsp", "mve") if has_vectors else expected), name
    assert kernel(binary("mul", (0.03, 0.021, 0.07), shapes=((4, 8), (4, 1))), MVE) == "mul_s8_dsp"


@pytest.mark.parametrize("core", CORES, ids=lambda core: core.name)
def test_all_pairs_of_bytes_natively(core: Core) -> None:
    """Under sanitizers."""
    modules = [module for module, _ in CASES.values()]
    results = run_natively(modules, [[list(PAIRS)]] * len(modules), core)
    for name, module, [[got]] in zip(CASES, modules, results, strict=True):
        np.testing.assert_array_equal(got, Interpreter(module).run(PAIRS)[0], err_msg=name)


@pytest.mark.parametrize("core", CORES, ids=lambda core: core.name)
@pytest.mark.parametrize("kind", ["add", "sub", "mul"])
@settings(max_examples=2, deadline=None, phases=[Phase.generate])
@given(data=st.data())
def test_native_gives_the_interpreter_s_bytes(kind: str, core: Core, data: st.DataObject) -> None:
    """Any broadcast, constant, quantisation and activation, with a poisoned arena that operands and results share."""
    assert_native_equals_interpreter(data.draw(st.lists(binary_modules(kind), min_size=16, max_size=16)), core=core)


def broadcasts() -> list[Module]:
    """Every broadcast with every kernel, and runs of each length from 1 to 9, every second of them limited."""
    shapes = [*BROADCASTS, *[((2, n), (2, n)) for n in range(1, 10)], *[((2, n), (2, 1)) for n in (1, 3, 4, 9)]]
    ways = [("add", TRAINED), ("add", TIED), ("mul", (0.03, 0.021, 0.07))]
    activations = itertools.cycle(("none", "relu6", "none"))
    return [
        binary(kind, scales, next(activations), one[::order])
        for kind, scales in ways
        for one in shapes
        for order in ((1, -1) if one[0] != one[1] else (1,))
    ]


@pytest.mark.parametrize("core", CORES, ids=lambda core: core.name)
def test_every_broadcast_natively(core: Core) -> None:
    """Whatever stays the same in a run or between runs, and elements that are left over from fours."""
    assert_native_equals_interpreter(broadcasts(), samples=1, core=core)


@pytest.mark.parametrize("board", ["mps2-an386", "mps3-an547"])
@pytest.mark.parametrize("optimize", ["speed", "size"])
def test_the_chip_gives_the_interpreter_s_bytes(
    optimize: str, board: str, needs: Callable[..., None], tmp_path: Path
) -> None:
    """The instructions themselves, on the emulated Cortex-M4 and M55."""
    needs("arm-none-eabi-gcc", "qemu-system-arm")
    modules = {
        f"{kind} {scales} {activation}": binary(kind, scales, activation, ((5, 1003), (1, 1003)))
        for kind, scales in (("add", TRAINED), ("add", TIED), ("sub", TRAINED), ("mul", (0.03, 0.021, 0.07)))
        for activation in ("none", "relu6")
    }
    assert_chip_equals_interpreter(modules, board, optimize, tmp_path)
