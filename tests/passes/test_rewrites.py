"""Passes: text in, text out."""

from __future__ import annotations

import pytest

import lichen.ops  # noqa: F401  registers the operators
from lichen.ir.parse import parse_module
from lichen.ir.print import print_module
from lichen.passes import DEFAULT_PASSES, run_passes
from rewriting import body, expect, module, rewrite

Q = "{scale = 0.5, zero = 3}"


# --- dead_code


def test_dead_code_goes_with_all_that_fed_it() -> None:
    """A chain nobody reads vanishes; a write to state is a use."""
    text = module(
        f"%x : i8[1, 4]{Q}",
        f"%a = relu(%x) : i8[1, 4]{Q}",
        f"%b = relu6(%a) : i8[1, 4]{Q}",
        "%c = tanh(%x) : i8[1, 4]{scale = 0.0078125, zero = 0}",
        "write_state($s, %c)",
        f"%y = relu(%x) : i8[1, 4]{Q}",
        "return %y",
        constants='  state $s : i8[1, 4]{scale = 0.0078125, zero = 0} = splat "AA=="',
    )
    expect(
        rewrite(text, "dead_code"),
        f"""
        %c = tanh(%x) : i8[1, 4]{{scale = 0.0078125, zero = 0}}
        write_state($s, %c)
        %y = relu(%x) : i8[1, 4]{Q}
        return %y
        """,
    )


def test_dead_code_keeps_an_operation_of_which_one_result_is_used() -> None:
    """A split stays while any of its parts is read."""
    text = module(
        "%x : i8[4]", "%a, %b = split(%x) {axis = 0} : i8[2], i8[2]", "%y = reshape(%b) : i8[1, 2]", "return %y"
    )
    assert rewrite(text, "dead_code") == body(text)


# --- fold_constants


def test_constants_are_folded_through() -> None:
    """A transposed, reshaped constant is computed at compile time; what depends on an input is not."""
    text = module(
        "%x : i8[1, 2, 2]",
        "%t = transpose(@k) {permutation = (1, 0)} : i8[2, 2]",
        "%r = reshape(%t) : i8[1, 2, 2]",
        "%y = concat(%x, %r) {axis = 0} : i8[2, 2, 2]",
        "return %y",
        constants='  const @k : i8[2, 2] = "AQIDBA=="',
    )
    folded = parse_module(text)
    assert run_passes(folded)
    printed = print_module(folded)
    assert 'const @r : i8[1, 2, 2] = "AQMCBA=="' in printed and "@k" not in printed
    expect(rewrite(text, *DEFAULT_PASSES), "%y = concat(%x, @r) {axis = 0} : i8[2, 2, 2]\nreturn %y")


def test_constants_that_are_outputs_stay_computed() -> None:
    """An output is a tensor in the arena, so something must write it."""
    text = module("%x : i8[2]", "%y = reshape(@k) : i8[1, 2]", "return %y", constants='  const @k : i8[2] = "AQI="')
    assert rewrite(text, "fold_constants") == body(text)


def test_a_large_constant_is_not_copied_but_its_view_is_a_constant() -> None:
    """Beyond 65536 elements only views are folded, which cost nothing and have no place in RAM to be views of."""
    text = module(
        "%x : i8[2, 40000]",
        "%r = reshape(@k) : i8[2, 40000]",
        "%t = transpose(@r2) {permutation = (1, 0)} : i8[2, 40000]",
        "%y = concat(%x, %r, %t) {axis = 0} : i8[6, 40000]",
        "return %y",
        constants='  const @k : i8[80000] = splat "AQ=="\n  const @r2 : i8[40000, 2] = splat "AQ=="',
    )
    expect(
        rewrite(text, "fold_constants"),
        """
        %t = transpose(@r2) {permutation = (1, 0)} : i8[2, 40000]
        %y = concat(%x, @r, %t) {axis = 0} : i8[6, 40000]
        return %y
        """,
    )


def test_what_must_be_read_from_ram_is_computed_there() -> None:
    """An output computed from constants alone by an operator that takes none: what leads there stays, through a view too."""
    text = module(
        "%x : f32[1]",
        "%t = transpose(@k) {permutation = (0, 1)} : f32[1, 1]",
        "%r = reshape(%t) : f32[1]",
        '%y = dense(%r, @k) {activation = "none"} : f32[1]',
        "return %y",
        constants='  const @k : f32[1, 1] = "AACAPw=="',
    )
    assert rewrite(text, *DEFAULT_PASSES) == body(text)


def test_a_result_that_is_not_finite_is_not_folded() -> None:
    """Constants are finite numbers, so a product that overflows is left to the chip."""
    text = module(
        "%x : f32[1]",
        '%a = mul(@k, @k) {activation = "none"} : f32[1]',
        '%y = add(%a, %a) {activation = "none"} : f32[1]',
        "return %y",
        constants='  const @k : f32[1] = "yvJJcQ=="',  # 1e30
    )
    folded = parse_module(text)
    assert not run_passes(folded)


# --- remove_identity


@pytest.mark.parametrize(
    "operation",
    [
        "reshape(%a)",
        "quantize(%a)",
        "transpose(%a) {permutation = (0, 1)}",
        "pad(%a) {after = (0, 0), before = (0, 0), value = 3.0}",
        "strided_slice(%a) {begin = (0, 0), end = (1, 4), strides = (1, 1)}",
        "concat(%a) {axis = 1}",
        "split(%a) {axis = 1}",
    ],
)
def test_operations_that_change_nothing_vanish(operation: str) -> None:
    """Same type and same elements: the operand takes the result's place."""
    text = module(
        f"%x : i8[1, 4]{Q}",
        f"%a = relu(%x) : i8[1, 4]{Q}",
        f"%b = {operation} : i8[1, 4]{Q}",
        f"%y = relu6(%b) : i8[1, 4]{Q}",
        "return %y",
    )
    expect(
        rewrite(text, "remove_identity"),
        f"""
        %a = relu(%x) : i8[1, 4]{Q}
        %y = relu6(%a) : i8[1, 4]{Q}
        return %y
        """,
    )


def test_an_identity_between_input_and_output_stays() -> None:
    """Input and output are different tensors to the caller."""
    text = module("%x : i8[4]", "%y = reshape(%x) : i8[4]", "return %y")
    assert rewrite(text, "remove_identity") == body(text)


@pytest.mark.parametrize(
    "operation",
    [
        "transpose(%x) {permutation = (1, 0)}",
        "strided_slice(%x) {begin = (1, 0), end = (-1, 2), strides = (-1, 1)}",
    ],
)
def test_operations_that_move_elements_stay(operation: str) -> None:
    """The same type does not mean the same order."""
    text = module("%x : i8[2, 2]", f"%a = {operation} : i8[2, 2]", "%y = reshape(%a) : i8[4]", "return %y")
    assert rewrite(text, "remove_identity") == body(text)


def test_a_requantisation_stays() -> None:
    """Another scale is not nothing."""
    text = module(
        f"%x : i8[4]{Q}", "%a = quantize(%x) : i8[4]{scale = 0.25, zero = 3}", "%y = reshape(%a) : "
        "i8[1, 4]{scale = 0.25, zero = 3}", "return %y"
    )  # fmt: skip
    assert rewrite(text, "remove_identity") == body(text)


def test_reshapes_and_transposes_of_single_dimensions_become_one_reshape() -> None:
    """Moving a dimension of 1 moves no byte."""
    text = module(
        "%x : i8[1, 3, 1, 2]",
        "%a = transpose(%x) {permutation = (1, 0, 3, 2)} : i8[3, 1, 2, 1]",
        "%b = reshape(%a) : i8[6, 1]",
        "%y = reshape(%b) : i8[1, 6]",
        "return %y",
    )
    expect(rewrite(text, *DEFAULT_PASSES), "%y = reshape(%x) : i8[1, 6]\nreturn %y")


# --- fuse_activation


def sum_then(kind: str, between: str = Q, after: str = Q, activation: str = "none", returned: str = "%y") -> str:
    return module(
        f"%x : i8[4]{Q}",
        f'%a = add(%x, %x) {{activation = "{activation}"}} : i8[4]{between}',
        f"%y = {kind}(%a) : i8[4]{after}",
        f"return {returned}",
    )


@pytest.mark.parametrize("kind", ["relu", "relu6"])
def test_activations_are_fused(kind: str) -> None:
    """The operation before clamps by itself, and takes the name of the activation's result."""
    expect(
        rewrite(sum_then(kind), "fuse_activation"),
        f'%y = add(%x, %x) {{activation = "{kind}"}} : i8[4]{Q}\nreturn %y',
    )


@pytest.mark.parametrize(
    "text",
    [
        sum_then("relu", after="{scale = 0.25, zero = 3}"),
        sum_then("relu", activation="relu6"),
        sum_then("relu", returned="%y, %a"),
        sum_then("hard_swish"),
        module(f"%x : i8[4]{Q}", f"%y = relu(%x) : i8[4]{Q}", "return %y"),
        module(f"%x : i8[4]{Q}", f"%a = relu(%x) : i8[4]{Q}", f"%y = relu6(%a) : i8[4]{Q}", "return %y"),
    ],
)
def test_activations_that_cannot_be_fused_stay(text: str) -> None:
    """Another scale, an activation already there, another reader, another function, or nothing in front."""
    assert rewrite(text, "fuse_activation") == body(text)


# --- fuse_pad

WEIGHTS = '  const @w : i8[1, 3, 3, 1]{scale = 0.1, zero = 0} = splat "Bw=="'


def padded(value: float, before: str = "(0, 1, 2, 0)", after: str = "(0, 1, 0, 0)", extra: str = "") -> str:
    b, a = (tuple(map(int, t.strip("()").split(","))) for t in (before, after))
    shape = [n + p + q for n, p, q in zip((1, 5, 5, 1), b, a, strict=True)]
    out = [1, shape[1] - 2, shape[2] - 2, 1]
    return module(
        f"%x : i8[1, 5, 5, 1]{Q}",
        f"%p = pad(%x) {{after = {after}, before = {before}, value = {value}}} : i8{shape}{Q}",
        '%y = conv2d(%p, @w) {activation = "none", dilation = (1, 1), padding = (0, 0, 0, 0), stride = (1, 1)}'
        f" : i8{out}{Q}",
        f"return %y{extra}",
        constants=WEIGHTS,
    )


def test_pads_of_real_zeros_are_fused() -> None:
    """The stored zero point is the convolution's own padding."""
    expect(
        rewrite(padded(3.0), "fuse_pad"),
        f"""
        %y = conv2d(%x, @w) {{activation = "none", dilation = (1, 1), padding = (1, 1, 2, 0), stride = (1, 1)}} : i8[1, 5, 5, 1]{Q}
        return %y
        """,
    )


@pytest.mark.parametrize(
    "text",
    [
        padded(0.0),
        padded(3.0, before="(0, 3, 0, 0)"),
        padded(3.0, extra=", %p"),
    ],
)
def test_pads_that_cannot_be_fused_stay(text: str) -> None:
    """A stored 0 that is not a real 0, windows that would see only padding, and another reader."""
    assert rewrite(text, "fuse_pad") == body(text)


# --- all together


def test_default_passes_come_to_an_end_and_stay_there() -> None:
    """A second run changes nothing."""
    rewritten = parse_module(padded(3.0))
    assert run_passes(rewritten)
    assert not run_passes(rewritten)
