"""The text form: what is printed reads back as the same module, and damaged text is refused with a sentence."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphs import conv_module, float32, int8, random_array
from lichen.errors import LichenError
from lichen.ir.interpret import Interpreter
from lichen.ir.module import Function, Module, Operation, State, Value
from lichen.ir.parse import parse_module
from lichen.ir.print import print_module
from lichen.ir.types import DType, Quantisation, TensorType


def test_printing_and_parsing_are_inverse() -> None:
    """Text, parsed and printed, is the same text, and the module computes the same bytes."""
    module = conv_module()
    text = print_module(module)
    again = parse_module(text)
    assert print_module(again) == text
    x = random_array(module.infer.inputs[0].type)
    np.testing.assert_array_equal(Interpreter(again).run([x])[0], Interpreter(module).run([x])[0])


def test_state_and_several_results_survive() -> None:
    """State, operations without results and operations with several are part of the text form."""
    type_ = int8((1, 4), 0.1, -7)
    x, old = Value("x", type_), Value("old", type_)
    state = State("h", type_, np.full((1, 4), -7, np.int8))
    halves = [Value("a", int8((1, 2), 0.1, -7)), Value("b", int8((1, 2), 0.1, -7))]
    operations = [
        Operation("read_state", [state], [old]),
        Operation("write_state", [state, x], []),
        Operation("split", [old], halves, {"axis": 1}),
    ]
    module = Module("streaming", {"infer": Function("infer", [x], operations, halves)})
    text = print_module(module)
    assert "splat" in text
    assert print_module(parse_module(text)) == text


@given(
    st.lists(st.floats(1e-30, 1e30, width=64), min_size=1, max_size=4),
    st.lists(st.integers(-128, 127), min_size=4, max_size=4),
)
def test_every_quantisation_reads_back_exactly(scales: list[float], zeros: list[int]) -> None:
    """Scales keep all their bits in text, and NumPy's numbers are written like Python's."""
    count = len(scales)
    quantisation = Quantisation(tuple(np.array(scales)), tuple(np.array(zeros[:count])), 0)
    x = Value("x", TensorType((count, 2), DType.INT8, quantisation))
    module = Module("m", {"infer": Function("infer", [x], [], [x])})
    assert parse_module(print_module(module)).infer.inputs[0].type.quantisation == quantisation


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda t: t.replace("conv2d", "conv9d"), "not known"),
        (lambda t: t.replace("%x, @w", "%nobody, @w"), "not defined"),
        (lambda t: t.replace("return %y", "return %w"), "not defined"),
        (lambda t: t.replace("(1, 1, 1, 1)", "(1, 1, 1)"), "padding"),
        (lambda t: t.replace('"relu"', '"swish"'), "activation"),
        (lambda t: t.replace("[1, 6, 7, 5]", "[1, 6, 7, 6]"), "result must be"),
        (lambda t: t + "x", "after the end"),
        (lambda t: t[: len(t) // 2], "expected"),
        (lambda t: t.replace("module toy", "module 7oy"), "expected"),
        (lambda t: t.replace("dilation = (1, 1), ", ""), "attributes missing"),
    ],
)
def test_damaged_text_is_refused_with_the_reason(damage, sentence: str) -> None:
    """Each kind of damage has its own sentence."""
    with pytest.raises(LichenError, match=sentence):
        parse_module(damage(print_module(conv_module())))


@settings(max_examples=300)
@given(st.data())
def test_random_damage_never_crashes(data: st.DataObject) -> None:
    """Any altered text is either a well-formed module or an error of Lichen's own."""
    text = print_module(conv_module(channels=1))
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 8)))
    altered = text[:start] + data.draw(st.text('%@$(){}[],:="-.0123456789eixy \n', max_size=6)) + text[end:]
    try:
        parse_module(altered)
    except LichenError as error:
        assert error.exit_code == 2


def test_float_attributes_and_types_print() -> None:
    """Floats without a fraction stay floats."""
    x, y = Value("x", float32((1, 3))), Value("y", float32((1, 3)))
    module = Module("m", {"infer": Function("infer", [x], [Operation("softmax", [x], [y], {"beta": 1.0})], [y])})
    assert "beta = 1.0" in print_module(module)
    assert print_module(parse_module(print_module(module))) == print_module(module)
