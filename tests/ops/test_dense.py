"""The dense layer against TensorFlow Lite Micro, native C and its own rules."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.errors import VerifyError
from lichen.ir.module import Module
from lichen.ir.operator import operator
from lichen.ir.types import DType, Quantisation, TensorType
from native_check import assert_native_equals_interpreter, random_input
from ops_oracle import f32, fixed, i8, one_op, run
from strategies import dense_modules, micro, micro_activation


def dense(x: TensorType, weights: tuple[int, ...], result: TensorType) -> Module:
    type_ = TensorType(weights, DType.INT8, Quantisation.per_tensor(0.01, 0))
    return one_op("dense", [x, fixed(np.ones(weights, np.int8), type_, "w")], [result], {"activation": "none"})


@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_it_gives_what_tflm_gives(dtype: str) -> None:
    """int8: every byte, with one scale for all weights or one for each output; float32: to its rounding."""

    @settings(max_examples=80, deadline=None)
    @given(dense_modules(dtype), st.integers(0, 9))
    def check(module: Module, seed: int) -> None:
        x = random_input(module.infer.inputs[0].type, np.random.default_rng(seed))
        activation = micro_activation(module.infer.operations[0].str_attribute("activation"))
        expected = micro("FULLY_CONNECTED", module, x, {"FusedActivationFunction": activation})
        tolerance = 0 if dtype == "int8" else 1e-4
        np.testing.assert_allclose(run(module, x)[0], expected, rtol=tolerance, atol=tolerance)

    check()


@settings(max_examples=2, deadline=None)
@given(st.lists(st.one_of(dense_modules("int8"), dense_modules("float32")), min_size=10, max_size=10))
def test_native_equals_the_interpreter(modules: list[Module]) -> None:
    """Any batch: the C gives what the interpreter gives."""
    assert_native_equals_interpreter(modules, rtol=1e-4, atol=1e-4)


def test_shapes_may_be_any_with_the_right_number_of_elements() -> None:
    """An image enters without being reshaped, as `.tflite` files have it."""
    module = dense(i8(1, 2, 3, 4), (5, 24), i8(1, 1, 5))
    assert run(module, np.ones((1, 2, 3, 4), np.int8))[0].shape == (1, 1, 5)


@pytest.mark.parametrize(
    ("x", "weights", "result"),
    [
        (i8(1, 7), (5, 8), i8(1, 5)),
        (i8(1, 8), (5, 8), i8(1, 6)),
        (i8(2, 8), (5, 8), i8(1, 5)),
        (i8(1, 8), (5, 8, 1), i8(1, 5)),
        (f32(1, 8), (5, 8), f32(1, 5)),
        (i8(1, 8, scale=3e38), (5, 8), i8(1, 5, scale=1e-30)),
    ],
)
def test_what_does_not_hold_together_is_refused(x: TensorType, weights: tuple[int, ...], result: TensorType) -> None:
    """Shapes or types that contradict each other end in a `VerifyError`."""
    with pytest.raises(VerifyError, match="dense"):
        dense(x, weights, result)


def test_accesses_go_row_by_row() -> None:
    """Each row of the batch is read before the next is touched."""
    accesses = operator("dense").accesses(dense(i8(3, 8), (5, 8), i8(3, 5)).infer.operations[0])
    assert accesses.reads[0].tolist() == [[0, 8], [8, 16], [16, 24]]
    assert accesses.writes[0].tolist() == [[0, 5], [5, 10], [10, 15]]
