"""Average and maximum pooling against TensorFlow Lite Micro, native C and their own rules."""

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
from lichen.errors import VerifyError
from lichen.ir.interpret import Interpreter
from lichen.ir.module import Attribute, Function, Module, Operation, Value
from lichen.ir.operator import operator
from lichen.ir.types import DType, TensorType
from lichen.targets.folder import open_folder
from native_check import DSP, assert_native_equals_interpreter, random_input
from ops_oracle import f32, i8, one_op, run
from strategies import micro, micro_window, pool_modules

BUILTINS = {"avg_pool2d": "AVERAGE_POOL_2D", "max_pool2d": "MAX_POOL_2D"}


def pool(kind: str = "avg_pool2d", **changes: Any) -> Module:
    """A 2x2 pooling of (1, 4, 4, 3), with changes to `x`, `result` or attributes."""
    attributes = {"kernel": (2, 2), "stride": (2, 2), "padding": (0, 0, 0, 0), "activation": "none"}
    operands, results = [changes.pop("x", i8(1, 4, 4, 3))], [changes.pop("result", i8(1, 2, 2, 3))]
    return one_op(kind, operands, results, attributes | changes)


@pytest.mark.parametrize("kind", BUILTINS)
@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_it_gives_what_tflm_gives(kind: str, dtype: str) -> None:
    """int8: every byte; float32: to its rounding. Padding does not count."""

    @settings(max_examples=40, deadline=None)
    @given(pool_modules(kind, dtype, named=True), st.integers(0, 9))
    def check(module: Module, seed: int) -> None:
        x = random_input(module.infer.inputs[0].type, np.random.default_rng(seed))
        kernel_h, kernel_w = module.infer.operations[0].ints_attribute("kernel")
        options = micro_window(module) | {"FilterHeight": kernel_h, "FilterWidth": kernel_w}
        tolerance = 0 if dtype == "int8" else 1e-5
        expected = micro(BUILTINS[kind], module, x, options)
        np.testing.assert_allclose(run(module, x)[0], expected, rtol=tolerance, atol=tolerance)

    check()


@settings(max_examples=3, deadline=None)
@given(
    st.lists(
        st.one_of([pool_modules(kind, dtype) for kind in BUILTINS for dtype in ("int8", "float32")]),
        min_size=10,
        max_size=10,
    )
)
def test_native_equals_the_interpreter(modules: list[Module]) -> None:
    """Any padding: the C gives what the interpreter gives."""
    assert_native_equals_interpreter(modules)


@settings(max_examples=2, deadline=None)
@given(
    st.lists(
        st.one_of(pool_modules("avg_pool2d", "int8"), pool_modules("max_pool2d", "int8")), min_size=16, max_size=16
    )
)
def test_native_equals_the_interpreter_with_dsp_instructions(modules: list[Module]) -> None:
    """The same of the kernels for cores that have them, in plain C."""
    assert_native_equals_interpreter(modules, core=DSP)


@pytest.mark.parametrize("channels", [4, 7, 16, 22, 37])
@pytest.mark.parametrize("kind", list(BUILTINS))
def test_channels_go_together_in_any_number(kind: str, channels: int) -> None:
    """Sixteen, eight or four at a time and the last four again in part, clamped or not."""
    x, result = i8(1, 5, 6, channels, scale=0.1, zero=3), i8(1, 3, 3, channels, scale=0.1, zero=3)
    window = {"x": x, "result": result, "kernel": (3, 3), "padding": (1, 1, 1, 0)}
    modules = [pool(kind, **window, activation=activation) for activation in ("none", "relu6")]
    assert_native_equals_interpreter(modules, core=DSP)


def test_any_sum_has_its_mean() -> None:
    """The multiplication that stands for the division by the taps: for all sums of all windows it serves."""
    for taps in range(1, 256):
        sums = np.arange(-128 * taps, 127 * taps + 1, dtype=np.int64)
        means = np.sign(sums) * ((np.abs(sums) + taps // 2) // taps)
        np.testing.assert_array_equal((4 * sums * (2**30 // taps + 1) + 2**31) >> 32, means)


def test_the_chip_pools_as_the_interpreter(needs: Callable[..., None], tmp_path: Path) -> None:
    """The instructions, on the emulated Cortex-M4: an average over a maximum."""
    needs("arm-none-eabi-gcc", "qemu-system-arm")
    type_ = i8(1, 6, 6, 22, scale=0.1, zero=3)
    x, most, mean = (
        Value("x", type_),
        Value("most", type_.with_shape(1, 3, 3, 22)),
        Value("mean", type_.with_shape(1, 2, 2, 22)),
    )
    attributes: dict[str, Attribute] = {"kernel": (2, 2), "stride": (2, 2), "padding": (0,) * 4, "activation": "none"}
    operations = [
        Operation("max_pool2d", [x], [most], attributes),
        Operation("avg_pool2d", [most], [mean], attributes | {"padding": (1, 0, 0, 1), "activation": "relu6"}),
    ]
    module = Module("pools", {"infer": Function("infer", [x], operations, [most, mean])})
    assert [operator(op.kind).lower(op, DSP).kernel for op in operations] == ["max_pool2d_s8_dsp", "avg_pool2d_s8_dsp"]
    sample = random_input(type_, np.random.default_rng(1))
    folder = compile_model(module, "mps2-an386", tmp_path / "pools").path
    with open_executor(open_folder(folder), "qemu") as executor:
        for expected, got in zip(Interpreter(module).run([sample]), executor.run([sample[None]]), strict=True):
            np.testing.assert_array_equal(got[0], expected)


def test_averages_round_halves_away_from_zero() -> None:
    """1.5 becomes 2 and -1.5 becomes -2, whatever the zero point."""
    x = np.array([1, 2, -1, -2], np.int8).reshape(1, 1, 4, 1)
    module = pool(x=i8(1, 1, 4, 1, zero=7), result=i8(1, 1, 2, 1, zero=7), kernel=(1, 2), stride=(1, 2))
    assert run(module, x)[0].ravel().tolist() == [2, -2]


@pytest.mark.parametrize(
    "changes",
    [
        {"result": i8(1, 2, 2, 4)},
        {"result": i8(1, 2, 3, 3)},
        {"result": i8(1, 2, 2, 3, scale=0.2)},
        {"result": i8(1, 2, 2, 3, zero=1)},
        {"result": f32(1, 2, 2, 3)},
        {"x": TensorType((1, 4, 4, 3), DType.INT16), "result": TensorType((1, 2, 2, 3), DType.INT16)},
        {"x": TensorType((1, 4, 4, 3), DType.INT8)},
        {"kernel": (2,)},
        {"kernel": (0, 2)},
        {"kernel": (5, 5)},
        {"padding": (2, 0, 0, 0)},
        {"activation": ""},
    ],
)
def test_what_does_not_hold_together_is_refused(changes: dict[str, Any]) -> None:
    """Every way to damage a pooling ends in a `VerifyError`."""
    pool()
    with pytest.raises(VerifyError, match="avg_pool2d"):
        pool(**changes)
