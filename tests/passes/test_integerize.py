"""Integerization, text in and text out: what becomes int8, what stays in floating point and is reported."""

from __future__ import annotations

import numpy as np

import lichen.ops  # noqa: F401
from lichen.ir.interpret import Interpreter
from lichen.ir.module import Constant, Module
from lichen.ir.parse import parse_module
from lichen.ir.print import print_operation
from lichen.passes.integerize import integerize
from lichen.passes.move_quantisation import move_quantisation

Q = "{scale = 0.5, zero = 3}"
R = "{scale = 0.25, zero = -128}"


def module(body: str, inputs: str = "%x : f32[1, 2, 2, 4]", globals_: str = "") -> Module:
    return parse_module(f"module m {{\n{globals_}\n  func infer({inputs}) {{\n{body}\n  }}\n}}\n")


def lines(m: Module) -> list[str]:
    return [print_operation(op) for op in m.infer.operations]


def test_layer_with_activation() -> None:
    """A dense layer, its activation and the conversions around it become one int8 operation with int8 input and output."""
    weights = np.array([[127, -64, 0, 1], [10, 20, 127, -127]], np.float32) * np.array([[0.25], [0.5]], np.float32)
    m = module(
        f"""
    %q = quantize(%x) : i8[1, 4]{Q}
    %d = dequantize(%q) : f32[1, 4]
    %y = dense(%d, @w, @b) {{activation = "none"}} : f32[1, 2]
    %z = relu(%y) : f32[1, 2]
    %r = quantize(%z) : i8[1, 2]{R}
    %out = dequantize(%r) : f32[1, 2]
    return %out""",
        "%x : f32[1, 4]",
        f"""  const @w : f32[2, 4] = {_data(weights)}
  const @b : f32[2] = {_data(np.array([1.0, -2.0], np.float32))}""",
    )
    assert integerize(m) == []
    assert lines(m) == [f'%z = dense(%x, @w, @b) {{activation = "relu"}} : i8[1, 2]{R}']
    w, b = m.constants()
    assert w.data.tolist() == [[127, -64, 0, 1], [10, 20, 127, -127]]
    assert w.type.quantisation is not None and w.type.quantisation.scale == (0.25, 0.5)
    assert b.data.tolist() == [8, -8]  # 1 / (0.5 * 0.25), -2 / (0.5 * 0.5)
    assert m.infer.inputs[0].type.scale == 0.5 and m.infer.outputs[0].type.scale == 0.25


def test_pool_keeps_its_scale_and_requantises() -> None:
    """A pooling whose result is wanted under another scale is followed by a requantisation."""
    m = module(
        f"""
    %q = quantize(%x) : i8[1, 2, 2, 4]{Q}
    %d = dequantize(%q) : f32[1, 2, 2, 4]
    %y = max_pool2d(%d) {{activation = "none", kernel = (2, 2), padding = (0, 0, 0, 0), stride = (2, 2)}} : f32[1, 1, 1, 4]
    %r = quantize(%y) : i8[1, 1, 1, 4]{R}
    return %r"""
    )
    assert integerize(m) == []
    assert [op.kind for op in m.infer.operations] == ["max_pool2d", "quantize"]
    assert m.infer.operations[0].results[0].type.scale == 0.5


def test_softmax_has_its_fixed_scale() -> None:
    """Softmax yields scale 1/256 and zero point -128, whatever is wanted after it."""
    m = module(
        f"""
    %q = quantize(%x) : i8[1, 4]{Q}
    %d = dequantize(%q) : f32[1, 4]
    %y = softmax(%d) {{beta = 1.0}} : f32[1, 4]
    %r = quantize(%y) : i8[1, 4]{{scale = 0.01, zero = -100}}
    return %r""",
        "%x : f32[1, 4]",
    )
    assert integerize(m) == []
    between = m.infer.operations[0].results[0].type
    assert (between.scale, between.zero_point) == (1 / 256, -128)


def test_concat_requantises_what_differs() -> None:
    """Operands of a concatenation come to the scale of the result."""
    m = module(
        f"""
    %q = quantize(%x) : i8[1, 4]{Q}
    %p = quantize(%x) : i8[1, 4]{R}
    %d = dequantize(%q) : f32[1, 4]
    %e = dequantize(%p) : f32[1, 4]
    %y = concat(%d, %e) {{axis = 1}} : f32[1, 8]
    %r = quantize(%y) : i8[1, 8]{R}
    return %r""",
        "%x : f32[1, 4]",
    )
    assert integerize(m) == []
    assert [op.kind for op in m.infer.operations] == ["quantize", "quantize", "quantize", "concat"]


def test_padding_is_the_stored_value() -> None:
    """A real 0 is padded as the zero point."""
    m = module(
        f"""
    %q = quantize(%x) : i8[1, 4]{Q}
    %d = dequantize(%q) : f32[1, 4]
    %y = pad(%d) {{after = (0, 1), before = (0, 0), value = 0.0}} : f32[1, 5]
    %r = quantize(%y) : i8[1, 5]{Q}
    return %r""",
        "%x : f32[1, 4]",
    )
    assert integerize(m) == []
    assert m.infer.operations[0].attributes["value"] == 3.0


def test_single_numbers_are_kept_exactly() -> None:
    """A constant operand that is one number keeps its value in int8."""
    m = module(
        f"""
    %q = quantize(%x) : i8[1, 4]{Q}
    %d = dequantize(%q) : f32[1, 4]
    %y = mul(%d, @c) {{activation = "none"}} : f32[1, 4]
    %r = quantize(%y) : i8[1, 4]{R}
    return %r""",
        "%x : f32[1, 4]",
        f"  const @c : f32[1, 1] = {_data(np.array([[-1.3]], np.float32))}",
    )
    assert integerize(m) == []
    (c,) = m.constants()
    assert abs((int(c.data[0, 0]) - c.type.zero_point) * c.type.scale + 1.3) < 1e-6


def test_what_stays_in_float_is_reported() -> None:
    """An operation whose result nobody quantises stays, is named, and the graph still runs."""
    m = module(
        f"""
    %q = quantize(%x) : i8[1, 4]{Q}
    %d = dequantize(%q) : f32[1, 4]
    %y = tanh(%d) : f32[1, 4]
    %z = logistic(%y) : f32[1, 4]
    %r = quantize(%z) : i8[1, 4]{{scale = 0.00390625, zero = -128}}
    return %r""",
        "%x : f32[1, 4]",
    )
    assert integerize(m) == ["y", "z"]
    assert m.infer.inputs[0].type.dtype.value == "i8"
    assert len(Interpreter(m).run([np.zeros((1, 4), np.int8)])) == 1


def test_a_bias_too_large_for_32_bits_stays_in_float() -> None:
    """A layer whose bias cannot be expressed at its scale is left alone rather than computed wrongly."""
    m = module(
        """
    %q = quantize(%x) : i8[1, 2]{scale = 0.000001, zero = 0}
    %d = dequantize(%q) : f32[1, 2]
    %y = dense(%d, @w, @b) {activation = "none"} : f32[1, 1]
    %r = quantize(%y) : i8[1, 1]{scale = 1.0, zero = 0}
    return %r""",
        "%x : f32[1, 2]",
        f"  const @w : f32[1, 2] = {_data(np.full((1, 2), 1e-5, np.float32))}\n"
        f"  const @b : f32[1] = {_data(np.ones(1, np.float32))}",
    )
    assert integerize(m) == ["y"]


def test_state_is_kept_in_int8() -> None:
    """State that is read to be quantised and written from int8 becomes int8, its initial value quantised."""
    m = module(
        f"""
    %s = read_state($h) : f32[1, 4]
    %qs = quantize(%s) : i8[1, 4]{Q}
    %ds = dequantize(%qs) : f32[1, 4]
    %q = quantize(%x) : i8[1, 4]{Q}
    %d = dequantize(%q) : f32[1, 4]
    %y = concat(%ds, %d) {{axis = 1}} : f32[1, 8]
    %r = quantize(%y) : i8[1, 8]{Q}
    %t = dequantize(%r) : f32[1, 8]
    %n = strided_slice(%t) {{begin = (0, 4), end = (1, 8), strides = (1, 1)}} : f32[1, 4]
    write_state($h, %n)
    return %t""",
        "%x : f32[1, 4]",
        f"  state $h : f32[1, 4] = {_data(np.ones((1, 4), np.float32))}",
    )
    assert integerize(m) == []
    (state,) = m.states()
    assert state.initial.dtype == np.int8 and (state.initial == 5).all()
    interpreter = Interpreter(m)
    interpreter.run([np.full((1, 4), 7, np.int8)])
    assert interpreter.run([np.zeros((1, 4), np.int8)])[0].tolist() == [[7, 7, 7, 7, 0, 0, 0, 0]]


def test_a_float_module_is_left_alone() -> None:
    """Without a quantize there is nothing to do and nothing to report."""
    m = module("    %y = relu(%x) : f32[1, 2, 2, 4]\n    return %y")
    before = lines(m)
    assert integerize(m) == [] and lines(m) == before


def test_movements_move_int8() -> None:
    """Reshapes between conversions move int8 values; quantising what was dequantised disappears."""
    m = module(
        f"""
    %q = quantize(%x) : i8[1, 2, 2, 4]{Q}
    %d = dequantize(%q) : f32[1, 2, 2, 4]
    %y = reshape(%d) : f32[1, 16]
    %r = quantize(%y) : i8[1, 16]{Q}
    %e = dequantize(%r) : f32[1, 16]
    %t = tanh(%e) : f32[1, 16]
    %m = reshape(%t) : f32[4, 4]
    %z = quantize(%m) : i8[4, 4]{{scale = 0.0078125, zero = 0}}
    return %z"""
    )
    x = np.random.default_rng(0).normal(0, 5, (1, 2, 2, 4)).astype(np.float32)
    before = Interpreter(m).run([x])[0]
    assert move_quantisation(m) and not move_quantisation(m)
    assert [op.kind for op in m.infer.operations if op.kind != "dequantize"] == [
        "quantize",
        "reshape",
        "tanh",
        "quantize",
        "reshape",
    ]
    np.testing.assert_array_equal(Interpreter(m).run([x])[0], before)


def test_zero_padding_moves_int8() -> None:
    """Padding with real zeros after a dequantize pads the zero point before it; another value stays where it is."""
    body = """
    %q = quantize(%x) : i8[1, 4]{{scale = 0.5, zero = 3}}
    %d = dequantize(%q) : f32[1, 4]
    %y = pad(%d) {{after = (0, 1), before = (0, 2), value = {value}}} : f32[1, 7]
    return %y"""
    moved, kept = (module(body.format(value=value), "%x : f32[1, 4]") for value in ("0.0", "0.3"))
    assert move_quantisation(moved)
    (pad,) = (op for op in moved.infer.operations if op.kind == "pad")
    assert pad.results[0].type.dtype.value == "i8" and pad.attributes["value"] == 3.0
    assert not move_quantisation(kept)


def test_shared_constants_keep_different_names() -> None:
    """Weights of two layers of different inputs are two int8 constants, or one; the module verifies either way."""
    m = module(
        f"""
    %q = quantize(%x) : i8[1, 4]{Q}
    %d = dequantize(%q) : f32[1, 4]
    %y = dense(%d, @w) {{activation = "none"}} : f32[1, 4]
    %r = quantize(%y) : i8[1, 4]{R}
    %e = dequantize(%r) : f32[1, 4]
    %z = dense(%e, @w) {{activation = "none"}} : f32[1, 4]
    return %z""",
        "%x : f32[1, 4]",
        f"  const @w : f32[4, 4] = {_data(np.eye(4, dtype=np.float32))}",
    )
    assert integerize(m) == ["z"]
    assert {c.type.dtype.value for c in m.constants() if isinstance(c, Constant)} == {"i8", "f32"}


def _data(array: np.ndarray) -> str:  # type: ignore[type-arg]
    import base64

    return f'"{base64.b64encode(array.tobytes()).decode()}"'
