"""Means against TensorFlow Lite Micro, native C and their own rules."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.compiler import compile_model
from lichen.device.executor import open_executor
from lichen.errors import UnsupportedError, VerifyError
from lichen.ir.kernel import PLAIN, Core
from lichen.ir.module import Module
from lichen.ir.operator import operator
from lichen.ir.types import DType, TensorType
from lichen.targets.folder import open_folder
from native_check import DSP, assert_native_equals_interpreter, random_input, run_natively
from ops_oracle import f32, i8, one_op, run
from strategies import mean_modules, micro


def mean(**changes: Any) -> Module:
    """The mean of (1, 3, 3, 2) over its rows and columns, with changes to `x`, `result` or attributes."""
    attributes = {"axes": (1, 2), "keep_dims": False}
    operands, results = [changes.pop("x", i8(1, 3, 3, 2))], [changes.pop("result", i8(1, 2))]
    return one_op("mean", operands, results, attributes | changes)


@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_it_gives_what_tflm_gives(dtype: str) -> None:
    """Any one or two axes, which is what the oracle has; int8: every byte, with or without a change of scale."""

    @settings(max_examples=100, deadline=None)
    @given(mean_modules(dtype, most_axes=2), st.integers(0, 9))
    def check(module: Module, seed: int) -> None:
        (operation,) = module.infer.operations
        x = random_input(operation.operands[0].type, np.random.default_rng(seed))
        axes = np.array(operation.ints_attribute("axes"), np.int32)
        expected = micro("MEAN", module, x, {"KeepDims": operation.attributes["keep_dims"]}, (axes,))
        tolerance = 0 if dtype == "int8" else 1e-5
        np.testing.assert_allclose(run(module, x)[0], expected, rtol=tolerance, atol=tolerance)

    check()


@pytest.mark.parametrize("core", [PLAIN, DSP], ids=lambda core: core.name)
@settings(max_examples=3, deadline=None)
@given(st.lists(st.one_of(mean_modules("int8"), mean_modules("float32")), min_size=10, max_size=10))
def test_native_equals_the_interpreter(core: Core, modules: list[Module]) -> None:
    """Any axes of up to four dimensions: the C gives what the interpreter gives."""
    assert_native_equals_interpreter(modules, core=core)


@pytest.mark.parametrize("core", [PLAIN, DSP], ids=lambda core: core.name)
def test_five_dimensions_in_two_groups_of_axes_have_a_kernel(core: Core) -> None:
    """Neighbouring axes count as one, and those of size 1 not at all."""
    module = mean(x=i8(2, 3, 4, 1, 5), result=i8(3, 4), axes=(0, 3, 4))
    modules = [module, mean(x=i8(2, 3, 4, 2, 5), result=i8(2, 4, 5), axes=(1, 3))]
    assert_native_equals_interpreter(modules, core=core)


LONG = [
    mean(x=i8(1, 29, 18, 7, zero=-128), result=i8(1, 7, scale=0.01)),
    mean(x=i8(1, 16, 16, 8), result=i8(1, 8, scale=0.003)),
    mean(x=i8(2, 3, 523), result=i8(2, 3, scale=0.02), axes=(2,)),
    mean(x=i8(2, 3, 4, 11), result=i8(2, 4, scale=0.02), axes=(1, 3)),
]
"""More elements than an int16 sum holds; neighbours of one mean; what is left over from fours."""


def test_long_sums_by_words() -> None:
    """Extreme values, whose sums reach furthest, and random ones."""
    assert_native_equals_interpreter(LONG, core=DSP)
    inputs = [[[np.full(m.infer.inputs[0].type.shape, x, np.int8)] for x in (-128, 127)] for m in LONG]
    for module, samples, results in zip(LONG, inputs, run_natively(LONG, inputs, DSP), strict=True):
        for sample, got in zip(samples, results, strict=True):
            np.testing.assert_array_equal(got, run(module, *sample))


def test_the_chip_sums_by_words(needs: Callable[..., None], tmp_path: Path) -> None:
    """The instructions themselves, on the emulated Cortex-M4."""
    needs("arm-none-eabi-gcc", "qemu-system-arm")
    for index, module in enumerate(LONG):
        x = random_input(module.infer.inputs[0].type, np.random.default_rng(index))
        folder = compile_model(module, "mps2-an386", tmp_path / f"m{index}").path
        with open_executor(open_folder(folder), "qemu") as executor:
            np.testing.assert_array_equal(executor.run([x[None]])[0][0], run(module, x)[0])


def test_three_groups_of_axes_have_none() -> None:
    """What the kernel's five loops cannot reach is refused, not computed wrongly."""
    module = mean(x=i8(2, 2, 2, 2, 2), result=i8(2, 2), axes=(0, 2, 4))
    with pytest.raises(UnsupportedError, match="split"):
        operator("mean").lower(module.infer.operations[0], PLAIN)


def test_a_mean_is_read_whole_before_it_is_written() -> None:
    """Accesses are result elements in order, each with the hull of what it is the mean of."""
    accesses = operator("mean").accesses(mean().infer.operations[0])
    assert accesses.atomic
    assert accesses.reads[0].tolist() == [[0, 17], [1, 18]]
    assert accesses.writes[0].tolist() == [[0, 1], [1, 2]]


@pytest.mark.parametrize(
    "changes",
    [
        {"axes": ()},
        {"axes": (1, 1)},
        {"axes": (4,)},
        {"axes": (-1,)},
        {"axes": (1.0, 2.0)},
        {"keep_dims": True},
        {"result": i8(2)},
        {"result": f32(1, 2)},
        {"result": TensorType((1, 2), DType.INT8)},
        {"x": i8(1, 4096, 4096, 1), "result": i8(1, 1)},
        {"x": TensorType((1, 3, 3, 2), DType.INT32), "result": TensorType((1, 2), DType.INT32)},
        {"x": i8(1, 3, 3, 2, scale=1e38), "result": i8(1, 2, scale=1e-37)},
    ],
)
def test_what_does_not_hold_together_is_refused(changes: dict[str, Any]) -> None:
    """Every way to damage a mean ends in a `VerifyError`."""
    mean()
    with pytest.raises(VerifyError, match="mean"):
        mean(**changes)
