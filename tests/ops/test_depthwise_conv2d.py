"""Depthwise convolution against TensorFlow Lite Micro, native C and its own rules."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.errors import VerifyError
from lichen.ir.kernel import PLAIN
from lichen.ir.module import Module
from lichen.ir.operator import operator
from lichen.ir.types import DType, Quantisation, TensorType
from native_check import assert_native_equals_interpreter, random_input
from ops_oracle import f32, fixed, i8, one_op, run
from strategies import depthwise_modules, micro, micro_window


def micro_depthwise(module: Module, x: Any) -> Any:
    (operation,) = module.infer.operations
    dilation_h, dilation_w = operation.ints_attribute("dilation")
    options = micro_window(module) | {"DilationHFactor": dilation_h, "DilationWFactor": dilation_w}
    options["DepthMultiplier"] = operation.results[0].type.shape[3] // operation.operands[0].type.shape[3]
    return micro("DEPTHWISE_CONV_2D", module, x, options)


def depthwise(x: TensorType, weights: tuple[int, ...], result: TensorType, q: Quantisation | None = None) -> Module:
    type_ = TensorType(weights, DType.INT8, q or Quantisation.per_tensor(0.01, 0))
    attributes = {"stride": (1, 1), "padding": (1, 1, 1, 1), "dilation": (1, 1), "activation": "none"}
    return one_op("depthwise_conv2d", [x, fixed(np.ones(weights, np.int8), type_, "w")], [result], attributes)


@settings(max_examples=60, deadline=None)
@given(depthwise_modules("int8", named=True), st.integers(0, 9))
def test_int8_gives_the_bytes_of_tflm(module: Module, seed: int) -> None:
    """Random shapes, depth multipliers, dilations, quantisations and activations: every byte equals the oracle's."""
    x = random_input(module.infer.inputs[0].type, np.random.default_rng(seed))
    np.testing.assert_array_equal(run(module, x)[0], micro_depthwise(module, x))


@settings(max_examples=30, deadline=None)
@given(depthwise_modules("float32", named=True), st.integers(0, 9))
def test_float32_is_close_to_tflm(module: Module, seed: int) -> None:
    """The same of float32, to its rounding."""
    x = random_input(module.infer.inputs[0].type, np.random.default_rng(seed))
    np.testing.assert_allclose(run(module, x)[0], micro_depthwise(module, x), rtol=1e-4, atol=1e-4)


@settings(max_examples=3, deadline=None)
@given(st.lists(st.one_of(depthwise_modules("int8"), depthwise_modules("float32")), min_size=10, max_size=10))
def test_native_equals_the_interpreter(modules: list[Module]) -> None:
    """Any padding, dilation and depth multiplier: the C gives what the interpreter gives."""
    assert_native_equals_interpreter(modules, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("x", "weights", "result", "quantisation"),
    [
        (i8(1, 5, 5, 4), (2, 3, 3, 4), i8(1, 5, 5, 4), None),
        (i8(1, 5, 5, 4), (1, 3, 3, 6), i8(1, 5, 5, 6), None),
        (i8(1, 5, 5, 4), (1, 3, 3, 2), i8(1, 5, 5, 2), None),
        (i8(1, 5, 5, 4), (1, 3, 3, 4), i8(1, 5, 5, 8), None),
        (i8(1, 5, 5, 4), (3, 3, 4), i8(1, 5, 5, 4), None),
        (f32(1, 5, 5, 4), (1, 3, 3, 4), f32(1, 5, 5, 4), None),
        (i8(1, 5, 5, 3), (1, 3, 3, 3), i8(1, 5, 5, 3), Quantisation((0.1,) * 3, (0,) * 3, 1)),
    ],
)
def test_what_does_not_hold_together_is_refused(
    x: TensorType, weights: tuple[int, ...], result: TensorType, quantisation: Quantisation | None
) -> None:
    """Shapes, types or scales that contradict each other end in a `VerifyError`."""
    depthwise(i8(1, 5, 5, 4), (1, 3, 3, 8), i8(1, 5, 5, 8))
    with pytest.raises(VerifyError, match="depthwise_conv2d"):
        depthwise(x, weights, result, quantisation)


def test_one_input_channel_takes_the_kernel_of_a_convolution() -> None:
    """The first layer of a keyword spotter, (1, 10, 8, 8) weights over one channel, shares its loads among four channels."""
    one = depthwise(i8(1, 5, 5, 1), (1, 3, 3, 8), i8(1, 5, 5, 8)).infer.operations[0]
    two = depthwise(i8(1, 5, 5, 2), (1, 3, 3, 8), i8(1, 5, 5, 8)).infer.operations[0]
    assert operator("depthwise_conv2d").lower(one, PLAIN).kernel == "conv2d_s8"
    assert operator("depthwise_conv2d").lower(two, PLAIN).kernel == "depthwise_conv2d_s8"


def test_macs_are_one_a_tap() -> None:
    """A depthwise convolution multiplies each result element's taps only."""
    module = depthwise(i8(1, 5, 5, 4), (1, 3, 3, 8), i8(1, 5, 5, 8))
    assert operator("depthwise_conv2d").macs(module.infer.operations[0]) == 5 * 5 * 8 * 9
