"""Padding against NumPy, TensorFlow Lite Micro, native C and its own rules."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.errors import VerifyError
from lichen.ir.module import Module
from lichen.ir.operator import operator
from native_check import assert_native_equals_interpreter, random_input
from ops_oracle import f32, i8, one_op, run
from strategies import micro, pad_modules


def pad(**changes: Any) -> Module:
    """(2, 3) with one more row before and two columns after, with changes to `x`, `result` or attributes."""
    attributes = {"before": (1, 0), "after": (0, 2), "value": 5.0}
    operands, results = [changes.pop("x", i8(2, 3))], [changes.pop("result", i8(3, 5))]
    return one_op("pad", operands, results, attributes | changes)


@settings(max_examples=40, deadline=None)
@given(pad_modules("int8"))
def test_int8_gives_the_bytes_of_tflm(module: Module) -> None:
    """The padding of PAD is the zero point; all four dimensions may be padded."""
    (operation,) = module.infer.operations
    operation.attributes["value"] = float(operation.results[0].type.zero_point)
    x = random_input(operation.operands[0].type, np.random.default_rng(0))
    pairs = np.stack([operation.ints_attribute("before"), operation.ints_attribute("after")], axis=1)
    np.testing.assert_array_equal(run(module, x)[0], micro("PAD", module, x, {}, (pairs.astype(np.int32),)))


@settings(max_examples=2, deadline=None)
@given(st.lists(st.one_of(pad_modules("int8"), pad_modules("float32")), min_size=10, max_size=10))
def test_native_equals_the_interpreter(modules: list[Module]) -> None:
    """One to four dimensions, planned so that output overlaps input: the C gives what the interpreter gives."""
    assert_native_equals_interpreter(modules)


def test_the_value_stands_where_nothing_was() -> None:
    """A small case, written out."""
    x = np.array([[1, 2, 3], [4, 5, 6]], np.int8)
    assert run(pad(), x)[0].tolist() == [[5, 5, 5, 5, 5], [1, 2, 3, 5, 5], [4, 5, 6, 5, 5]]


def test_padding_pixels_read_nothing() -> None:
    """Accesses are pixels in order, of which those of padding read no byte."""
    accesses = operator("pad").accesses(pad(before=(1, 1), after=(0, 1)).infer.operations[0])
    assert accesses.writes[0].tolist() == [[0, 5], [5, 10], [10, 15]]
    assert accesses.reads[0].tolist() == [[0, 0], [0, 3], [3, 6]]


@pytest.mark.parametrize(
    "changes",
    [
        {"result": i8(3, 4)},
        {"result": f32(3, 5)},
        {"result": i8(3, 5, zero=1)},
        {"before": (1,)},
        {"before": (-1, 0), "result": i8(1, 5)},
        {"value": 128.0},
        {"value": 0.5},
        {"value": float("nan")},
        {"x": f32(2, 3), "result": f32(3, 5), "value": float("inf")},
        {"x": f32(), "result": f32(), "before": (), "after": ()},
        {"x": i8(1, 1, 1, 2, 3), "result": i8(1, 1, 1, 3, 5), "before": (0, 0, 0, 1, 0), "after": (0, 0, 0, 0, 2)},
    ],
)
def test_what_does_not_hold_together_is_refused(changes: dict[str, Any]) -> None:
    """Every way to damage a padding ends in a `VerifyError`."""
    with pytest.raises(VerifyError, match="pad"):
        pad(**changes)
