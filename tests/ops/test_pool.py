"""Average and maximum pooling against TensorFlow Lite Micro, native C and their own rules."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.errors import VerifyError
from lichen.ir.module import Module
from lichen.ir.types import DType, TensorType
from native_check import assert_native_equals_interpreter, random_input
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
