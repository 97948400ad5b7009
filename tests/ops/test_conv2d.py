"""Convolution against TensorFlow Lite Micro, native C and its own rules."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.errors import UnsupportedError, VerifyError
from lichen.ir.kernel import PLAIN
from lichen.ir.module import Module
from lichen.ir.operator import operator
from lichen.ir.types import DType, Quantisation, TensorType
from native_check import AVR, assert_native_equals_interpreter, random_input
from ops_oracle import f32, fixed, i8, one_op, run
from strategies import conv2d_modules, dense_modules, depthwise_modules, micro, micro_window

WEIGHTS = TensorType((2, 3, 3, 4), DType.INT8, Quantisation.per_tensor(0.01, 0))
PLAIN_ATTRIBUTES = {"stride": (1, 1), "padding": (1, 1, 1, 1), "dilation": (1, 1), "activation": "none"}


def micro_conv2d(module: Module, x: Any) -> Any:
    dilation_h, dilation_w = module.infer.operations[0].ints_attribute("dilation")
    options = micro_window(module) | {"DilationHFactor": dilation_h, "DilationWFactor": dilation_w}
    return micro("CONV_2D", module, x, options)


def conv2d(**changes: Any) -> Module:
    """A small int8 convolution, with changes to its operands (`x`, `w`, `b`), `result` or attributes."""
    weights = fixed(np.ones((2, 3, 3, 4), np.int8), WEIGHTS, "w")
    operands = [changes.pop("x", i8(1, 5, 5, 4)), changes.pop("w", weights)]
    if "b" in changes:
        operands.append(changes.pop("b"))
    return one_op("conv2d", operands, [changes.pop("result", i8(1, 5, 5, 2))], PLAIN_ATTRIBUTES | changes)


@settings(max_examples=60, deadline=None)
@given(conv2d_modules("int8", named=True), st.integers(0, 9))
def test_int8_gives_the_bytes_of_tflm(module: Module, seed: int) -> None:
    """Random shapes, paddings, dilations, quantisations and activations: every byte equals the oracle's."""
    x = random_input(module.infer.inputs[0].type, np.random.default_rng(seed))
    np.testing.assert_array_equal(run(module, x)[0], micro_conv2d(module, x))


@settings(max_examples=30, deadline=None)
@given(conv2d_modules("float32", named=True), st.integers(0, 9))
def test_float32_is_close_to_tflm(module: Module, seed: int) -> None:
    """The same of float32, to its rounding."""
    x = random_input(module.infer.inputs[0].type, np.random.default_rng(seed))
    np.testing.assert_allclose(run(module, x)[0], micro_conv2d(module, x), rtol=1e-4, atol=1e-4)


@settings(max_examples=3, deadline=None)
@given(st.lists(st.one_of(conv2d_modules("int8"), conv2d_modules("float32")), min_size=10, max_size=10))
def test_native_equals_the_interpreter(modules: list[Module]) -> None:
    """Any padding and dilation, planned so that output overlaps input: the C gives what the interpreter gives."""
    assert_native_equals_interpreter(modules, rtol=1e-4, atol=1e-4)


@settings(max_examples=1, deadline=None)
@given(
    st.lists(
        st.one_of(conv2d_modules("int8"), depthwise_modules("int8"), dense_modules("int8")), min_size=12, max_size=12
    )
)
def test_the_layout_for_avr_gives_the_same(modules: list[Module]) -> None:
    """Where channels are computed one by one, as sums of more than three bytes are, their weights are not interleaved; same bytes."""
    assert_native_equals_interpreter(modules, core=AVR)


@pytest.mark.parametrize(
    "changes",
    [
        {"x": i8(2, 5, 5, 4)},
        {"x": i8(1, 5, 5, 3)},
        {"x": i8(5, 5, 4)},
        {"x": f32(1, 5, 5, 4)},
        {"x": TensorType((1, 5, 5, 4), DType.INT8)},
        {"x": TensorType((1, 5, 5, 4), DType.INT8, Quantisation((0.1,) * 4, (0,) * 4, 3))},
        {"x": i8(1, 5, 5, 4, scale=1e30), "result": i8(1, 5, 5, 2, scale=1e-30)},
        {"x": fixed(np.zeros((1, 5, 5, 4), np.int8), i8(1, 5, 5, 4), "x")},
        {"w": i8(2, 3, 3, 4)},
        {"w": fixed(np.ones((2, 3, 3, 4), np.int8), i8(2, 3, 3, 4, zero=1), "w")},
        {"w": fixed(np.ones((2, 3, 3, 4), np.int8), TensorType((2, 3, 3, 4), DType.INT8), "w")},
        {"w": fixed(np.ones((2, 9, 4), np.int8), i8(2, 9, 4), "w")},
        {"b": fixed(np.zeros(3, np.int32), TensorType((3,), DType.INT32), "b")},
        {"b": fixed(np.zeros(2, np.float32), f32(2), "b")},
        {"b": fixed(np.full(2, 2**31 - 1, np.int32), TensorType((2,), DType.INT32), "b")},
        {"b": fixed(np.full(2, -(2**31), np.int32), TensorType((2,), DType.INT32), "b")},
        {"result": i8(1, 5, 5, 3)},
        {"result": i8(1, 3, 3, 2)},
        {"result": f32(1, 5, 5, 2)},
        {"result": TensorType((1, 5, 5, 2), DType.INT8)},
        {"result": i8(1, 5, 5, 2, scale=1e-37), "activation": "relu6"},
        {"stride": (0, 1)},
        {"stride": (1,)},
        {"stride": (1.0, 1.0)},
        {"stride": (float("nan"), 1)},
        {"padding": (3, 0, 1, 1)},
        {"padding": (-1, 1, 1, 1)},
        {"dilation": (4, 4)},
        {"dilation": (10**30, 1)},
        {"activation": "swish"},
    ],
)
def test_what_does_not_hold_together_is_refused(changes: dict[str, Any]) -> None:
    """Every way to damage a convolution ends in a `VerifyError`."""
    conv2d()
    with pytest.raises(VerifyError, match="conv2d"):
        conv2d(**changes)


def test_weights_per_channel_belong_to_the_output_channels() -> None:
    """Scales along another axis of the weights are refused."""
    along_input = TensorType((2, 3, 3, 4), DType.INT8, Quantisation((0.1,) * 4, (0,) * 4, 3))
    with pytest.raises(VerifyError, match="axis 3"):
        conv2d(w=fixed(np.ones((2, 3, 3, 4), np.int8), along_input, "w"))


def test_largest_accumulators_that_fit_are_exact() -> None:
    """With the largest bias that the type rule lets pass, and inputs at both ends, C equals the interpreter."""
    largest = 2**31 - 1 - 256 * 3 * 3 * 4
    bias = fixed(np.array([largest, -largest], np.int32), TensorType((2,), DType.INT32), "b")
    modules = [conv2d(b=bias, x=i8(1, 5, 5, 4, zero=zero), result=i8(1, 5, 5, 2, scale=2e4)) for zero in (-128, 127)]
    assert_native_equals_interpreter(modules)


def test_sizes_beyond_16_bits_have_no_kernel() -> None:
    """A row of 40,000 pixels can be interpreted but not lowered; the sentence names the member."""
    module = one_op(
        "conv2d",
        [i8(1, 1, 40000, 1), fixed(np.ones((1, 1, 1, 1), np.int8), i8(1, 1, 1, 1), "w")],
        [i8(1, 1, 40000, 1)],
        PLAIN_ATTRIBUTES | {"padding": (0, 0, 0, 0)},
    )
    with pytest.raises(UnsupportedError, match="in_w is 40000"):
        operator("conv2d").lower(module.infer.operations[0], PLAIN)


def test_accesses_follow_the_window() -> None:
    """Result pixels are written one by one; the first reads up to the end of its window, and all of the input is read."""
    accesses = operator("conv2d").accesses(conv2d().infer.operations[0])
    assert accesses.count == 25
    assert accesses.writes[0].tolist() == [[2 * i, 2 * i + 2] for i in range(25)]
    assert accesses.reads[0][0].tolist() == [0, (5 + 2) * 4]
    assert accesses.reads[0][-1].tolist() == [(3 * 5 + 3) * 4, 100]


def test_macs_count_padding() -> None:
    """Multiply-accumulates are result elements times taps times input channels."""
    assert operator("conv2d").macs(conv2d().infer.operations[0]) == 5 * 5 * 2 * 3 * 3 * 4
