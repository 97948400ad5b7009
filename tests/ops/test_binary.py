"""Sum, difference and product against TensorFlow Lite Micro and NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from element_strategies import binary_modules
from lichen.errors import VerifyError
from lichen.ir.operator import operator
from lichen.ops.fixed_point import ACTIVATIONS
from native_check import assert_native_equals_interpreter
from ops_oracle import Micro, bytes_of, f32, i8, one_op, run

KINDS = ["add", "sub", "mul"]
FUSED = {"none": "NONE", "relu": "RELU", "relu6": "RELU6", "relu_n1_to_1": "RELU_N1_TO_1"}
PAIRS = np.mgrid[-128:128, -128:128].astype(np.int8).reshape(2, 1, -1)


@pytest.mark.parametrize("kind", KINDS)
def test_int8_gives_the_bytes_of_tflm(kind: str) -> None:
    """All pairs of bytes under random scales from far apart to equal, zero points and fused activations."""
    rng = np.random.default_rng(7)
    for case in range(90):
        scales = 10.0 ** rng.uniform(-3, 1, 3)
        if case % 3 == 0:
            scales[1] = scales[0]
        scales[2] = scales[2] if kind == "mul" and case % 2 else (scales[0] + scales[1]) * rng.uniform(0.1, 4)
        zeros = map(int, rng.integers(-128, 128, 3))
        a, b, y = (i8(1, 65536, scale=s, zero=z) for s, z in zip(scales, zeros, strict=True))
        activation = str(rng.choice(sorted(ACTIVATIONS)))
        module = one_op(kind, [a, b], [y], {"activation": activation})
        micro = Micro(kind.upper(), module, {"FusedActivationFunction": FUSED[activation]})
        np.testing.assert_array_equal(run(module, *PAIRS)[0], micro(*PAIRS), f"{kind} {scales} {activation}")


@pytest.mark.parametrize(("a_shape", "b_shape"), [((1, 3, 4), (4,)), ((1, 3, 4), (1,)), ((1, 3, 1), (1, 1, 4))])
@pytest.mark.parametrize("kind", KINDS)
def test_int8_broadcasts_as_tflm_does(kind: str, a_shape: tuple[int, ...], b_shape: tuple[int, ...]) -> None:
    """A vector along the last axis, a single value, and an outer product."""
    rng = np.random.default_rng(3)
    types = i8(*a_shape, scale=0.1, zero=4), i8(*b_shape, scale=0.02, zero=-9)
    module = one_op(kind, types, [i8(1, 3, 4, scale=0.2)], {"activation": "none"})
    inputs = [bytes_of(t, rng) for t in types]
    np.testing.assert_array_equal(run(module, *inputs)[0], Micro(kind.upper(), module)(*inputs))


@pytest.mark.parametrize("kind", KINDS)
def test_float_is_numpy(kind: str) -> None:
    """Float32 results are exact, and clamped by the fused activation."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(scale=4, size=(1, 3, 4)).astype(np.float32), rng.normal(scale=4, size=4).astype(np.float32)
    module = one_op(kind, [f32(1, 3, 4), f32(4)], [f32(1, 3, 4)], {"activation": "relu6"})
    expected = np.clip({"add": np.add, "sub": np.subtract, "mul": np.multiply}[kind](a, b), 0, 6)
    np.testing.assert_array_equal(run(module, a, b)[0], expected)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=3, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(data=st.data())
def test_native_code_equals_the_interpreter(kind: str, data: st.DataObject) -> None:
    """C under sanitizers gives the interpreter's results, whatever is broadcast or constant."""
    modules = data.draw(st.lists(binary_modules(kind), min_size=8, max_size=16))
    assert_native_equals_interpreter(modules, samples=2)


def test_native_code_takes_every_quantisation() -> None:
    """Scales a factor of up to 10^6 apart and zero points at both ends, where zero points no longer fold into the rounding."""
    modules = [
        one_op(
            kind,
            [i8(1, 300, scale=a, zero=-128), i8(1, 300, scale=b, zero=127)],
            [i8(1, 300, scale=y, zero=zero)],
            {"activation": "none"},
        )
        for kind in KINDS
        for a, b in ((1.0, 1.0), (1.0, 1e-6), (1e-3, 1.0))
        for y, zero in ((1e-3, 127), (0.7, -128), (40.0, 127), (1e5, -128))
    ]
    assert_native_equals_interpreter(modules, samples=1)


def test_accesses_let_the_full_operand_be_replaced() -> None:
    """Element k of the operand with the result's shape is read with element k written; a broadcast one is read again and again."""
    module = one_op("add", [i8(2, 2), i8(2)], [i8(2, 2)], {"activation": "none"})
    accesses = operator("add").accesses(module.infer.operations[0])
    assert accesses.atomic
    assert accesses.reads[0].tolist() == accesses.writes[0].tolist() == [[0, 1], [1, 2], [2, 3], [3, 4]]
    assert accesses.reads[1].tolist() == [[0, 1], [1, 2], [0, 1], [1, 2]]


@pytest.mark.parametrize("kind", KINDS)
def test_type_rule(kind: str) -> None:
    """Element types, shapes, the activation and scales the arithmetic can hold are demanded."""
    for operands, result, activation in [
        ([i8(3), f32(3)], i8(3), "none"),
        ([i8(3), i8(3)], f32(3), "none"),
        ([i8(3), i8(2)], i8(3), "none"),
        ([i8(3), i8(3)], i8(1, 3), "none"),
        ([i8(3), i8(3)], i8(3), "swish"),
        ([i8(3, scale=1e6), i8(3, scale=1e6)], i8(3, scale=1e-6), "none"),
    ]:
        with pytest.raises(VerifyError):
            one_op(kind, operands, [result], {"activation": activation})
