"""Softmax against TensorFlow Lite Micro and its definition."""

from __future__ import annotations

import numpy as np
import pytest

from lichen.errors import VerifyError
from lichen.ir.operator import operator
from lichen.ir.types import TensorType
from native_check import assert_native_equals_interpreter
from ops_oracle import Micro, f32, i8, one_op, run


def probabilities(*shape: int) -> TensorType:
    return i8(*shape, scale=1 / 256, zero=-128)


SCALES = [1e-7, 1e-4, 0.003, 0.05, 0.1, 0.25, 0.7, 1.0, 4.0, 31.0, 40.0, 1000.0]


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("beta", [1.0, 0.3, 2.5])
def test_int8_gives_the_bytes_of_tflm(scale: float, beta: float) -> None:
    """Random rows, narrow and wide, of several lengths: every byte equals the oracle's."""
    rng = np.random.default_rng(int(scale * 1000))
    for depth in (1, 2, 10, 300):
        module = one_op("softmax", [i8(4, depth, scale=scale, zero=5)], [probabilities(4, depth)], {"beta": beta})
        micro = Micro("SOFTMAX", module, {"Beta": beta})
        for spread in (1, 7, 60, 255):
            low = int(rng.integers(-128, 128 - spread + 1))
            x = rng.integers(low, low + spread, (4, depth)).astype(np.int8)
            np.testing.assert_array_equal(run(module, x)[0], micro(x), f"depth {depth}, spread {spread}")


def test_int8_maps_every_difference_as_tflm_does() -> None:
    """A row of the maximum and one other value, for each of the 256 differences."""
    module = one_op("softmax", [i8(256, 2, scale=0.04)], [probabilities(256, 2)], {"beta": 1.0})
    x = np.stack([np.full(256, 127), np.arange(-128, 128)], axis=1).astype(np.int8)
    np.testing.assert_array_equal(run(module, x)[0], Micro("SOFTMAX", module, {"Beta": 1.0})(x))


def test_int8_rows_of_equal_values() -> None:
    """511 equal values are the most TensorFlow Lite Micro divides; more share too little for one step each."""
    module = one_op("softmax", [i8(1, 511)], [probabilities(1, 511)], {"beta": 1.0})
    x = np.full((1, 511), 3, np.int8)
    np.testing.assert_array_equal(run(module, x)[0], Micro("SOFTMAX", module, {"Beta": 1.0})(x))
    module = one_op("softmax", [i8(1, 4095)], [probabilities(1, 4095)], {"beta": 1.0})
    assert (run(module, np.full((1, 4095), 3, np.int8))[0] == -128).all()


def test_float_rows_are_probabilities() -> None:
    """Float32 rows follow the definition, also where exp of the raw values would overflow."""
    module = one_op("softmax", [f32(3, 5)], [f32(3, 5)], {"beta": 0.5})
    x = np.random.default_rng(0).normal(scale=400, size=(3, 5)).astype(np.float32)
    powers = np.exp(0.5 * (x.astype(np.float64) - x.max(axis=1, keepdims=True)))
    np.testing.assert_allclose(run(module, x)[0], powers / powers.sum(axis=1, keepdims=True), atol=2e-6)


def test_native_code_equals_the_interpreter() -> None:
    """C under sanitizers gives the interpreter's bytes, in place included."""
    rng = np.random.default_rng(1)
    modules = [
        one_op("softmax", [f32(2, 7)], [f32(2, 7)], {"beta": 1.0}),
        one_op("softmax", [i8(1, 4095, scale=1e-5)], [probabilities(1, 4095)], {"beta": 1.0}),
    ]
    for scale in SCALES:
        shape = (int(rng.integers(1, 4)), int(rng.integers(1, 40)))
        modules.append(one_op("softmax", [i8(*shape, scale=scale)], [probabilities(*shape)], {"beta": 1.0}))
    assert_native_equals_interpreter(modules)


def test_works_in_place() -> None:
    """The accesses state that element k is read before it is written and never again."""
    module = one_op("softmax", [i8(2, 3)], [probabilities(2, 3)], {"beta": 1.0})
    accesses = operator("softmax").accesses(module.infer.operations[0])
    assert accesses.atomic
    assert accesses.reads[0].tolist() == [[0, 3], [0, 1], [1, 2], [2, 3], [3, 6], [3, 4], [4, 5], [5, 6]]
    assert accesses.writes[0].tolist() == [[0, 0], [0, 1], [1, 2], [2, 3], [0, 0], [3, 4], [4, 5], [5, 6]]


def test_type_rule() -> None:
    """Shapes, element types, the fixed quantisation of the result and a usable scale are demanded."""
    for operand, result, beta in [
        (i8(1, 4), probabilities(1, 5), 1.0),
        (i8(1, 4), i8(1, 4, scale=1 / 128, zero=-128), 1.0),
        (i8(1, 4), i8(1, 4, scale=1 / 256, zero=0), 1.0),
        (f32(1, 4), probabilities(1, 4), 1.0),
        (i8(1, 4), probabilities(1, 4), 0.0),
        (i8(1, 4), probabilities(1, 4), float("inf")),
        (i8(1, 4, scale=1e-12), probabilities(1, 4), 1.0),
        (i8(1, 4096), probabilities(1, 4096), 1.0),
        (i8(), probabilities(), 1.0),
    ]:
        with pytest.raises(VerifyError):
            one_op("softmax", [operand], [result], {"beta": beta})


def test_table_holds_only_what_matters() -> None:
    """Scale 1: exp(-14) is below half a unit of the sum, so 14 entries are stored."""
    from lichen.ir.kernel import PLAIN, Table

    module = one_op("softmax", [i8(1, 4, scale=1.0)], [probabilities(1, 4)], {"beta": 1.0})
    call = operator("softmax").lower(module.infer.operations[0], PLAIN)
    table = call.arguments[2]
    assert isinstance(table, Table) and table.data.size == 14
