"""Channels that are constant or unread vanish, and not a byte of the result changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lichen.ops  # noqa: F401  registers the operators
from graph_strategies import Builder, Graph
from lichen.ir.interpret import Interpreter
from lichen.ir.module import Constant, Function, Module, constant
from lichen.ir.operator import operator
from lichen.ir.parse import parse_module
from lichen.ir.print import print_module
from lichen.ir.types import DType
from lichen.ir.verify import verify
from lichen.passes import run_passes
from lichen.passes.fold_constant_channels import fold_constant_channels
from lichen.reading import load
from native_check import random_input
from rewriting import body, const, expect, module, rewrite

Q = "{scale = 0.5, zero = 3}"
W = "{scale = 0.25, zero = 0}"
POINT = "dilation = (1, 1), padding = (0, 0, 0, 0), stride = (1, 1)"
SAME = "dilation = (1, 1), padding = (1, 1, 1, 1), stride = (1, 1)"

FIRST = np.array([[1, 2], [0, 0], [3, -4]], np.int8)  # three channels made of two; the second is its bias
LAST = np.array([[5, 6, 7]], np.int8)


def two_layers(bias: int, *between: str, last: str = POINT, kernel: int = 1, returned: str = "%y") -> str:
    """A 1x1 convolution whose channel 1 is `bias`, `between`, and a convolution of `%b` to one channel."""
    weights = np.zeros((1, kernel, kernel, 3), np.int8)
    weights[:] = LAST
    middle = kernel // 2
    weights[:, middle, middle, 1] += 1
    return module(
        f"%x : i8[1, 4, 4, 2]{Q}",
        f'%a = conv2d(%x, @w, @bias) {{activation = "none", {POINT}}} : i8[1, 4, 4, 3]{Q}',
        *between or [f"%b = relu6(%a) : i8[1, 4, 4, 3]{Q}"],
        f'%y = conv2d(%b, @v) {{activation = "none", {last}}} : i8[1, 4, 4, 1]{Q}',
        f"return {returned}",
        constants="\n".join(
            [
                const("w", f"i8[3, 1, 1, 2]{W}", FIRST),
                const("bias", "i32[3]", np.array([7, bias, -7], np.int32)),
                const("v", f"i8[1, {kernel}, {kernel}, 3]{W}", weights),
            ]
        ),
    )


def test_a_constant_channel_goes_into_the_bias_of_its_reader() -> None:
    """Through an activation: producer, activation and reader lose it, and the reader gets a bias."""
    expect(
        rewrite(two_layers(16), "fold_constant_channels"),
        f"""
        %a = conv2d(%x, @w, @bias) {{activation = "none", {POINT}}} : i8[1, 4, 4, 2]{Q}
        %b = relu6(%a) : i8[1, 4, 4, 2]{Q}
        %y = conv2d(%b, @v, @y_bias) {{activation = "none", {POINT}}} : i8[1, 4, 4, 1]{Q}
        return %y
        """,
    )


def test_the_bias_takes_weight_times_distance_from_the_zero_point() -> None:
    """Bias 16 at scale 0.5 * 0.25 is 4 steps of 0.5 above the zero point 3; the weight is 6 + 1."""
    rewritten = parse_module(two_layers(16))
    assert fold_constant_channels(rewritten)
    (folded,) = (c for c in rewritten.constants() if c.name == "y_bias")
    assert folded.data.tolist() == [4 * 7]


def test_a_constant_at_the_zero_point_adds_nothing() -> None:
    """Then padding is no obstacle either, and no bias is needed."""
    assert "conv2d(%b, @v)" in rewrite(two_layers(0, last=SAME, kernel=3), "fold_constant_channels")
    assert "i8[1, 4, 4, 2]" in rewrite(two_layers(0, last=SAME, kernel=3), "fold_constant_channels")


DEPTHWISE = f'%b = depthwise_conv2d(%a, @d) {{activation = "none", {SAME}}} : i8[1, 4, 4, 3]{Q}'


@pytest.mark.parametrize(
    "text",
    [
        two_layers(16, last=SAME, kernel=3),
        two_layers(16, returned="%y, %b"),
        two_layers(16, returned="%y, %a"),
        two_layers(
            16, f"%b = softmax(%a) {{beta = 1.0}} : i8[1, 4, 4, 3]{Q}".replace(Q, "{scale = 0.00390625, zero = -128}")
        ),
        two_layers(16, DEPTHWISE).replace(
            "  func", const("d", f"i8[1, 3, 3, 3]{W}", np.ones(27, np.int8)) + "\n  func"
        ),
    ],
    ids=["padding", "output", "earlier output", "channels mixed", "depthwise padding"],
)
def test_channels_that_somebody_needs_stay(text: str) -> None:
    """A constant that borders see as something else, an output, and a reader that is not a sum."""
    assert rewrite(text, "fold_constant_channels") == body(print_module(parse_module(text)))


def test_a_constant_passes_depthwise_layers_and_pools() -> None:
    """At the zero point a depthwise layer with padding makes its bias of it; the channel leaves five tensors."""
    weights = const("d", f"i8[1, 3, 3, 3]{W}", np.arange(27, dtype=np.int8))
    bias = const("e", "i32[3]", np.array([1, 40, 3], np.int32))
    text = two_layers(
        0,
        f'%c = depthwise_conv2d(%a, @d, @e) {{activation = "none", {SAME}}} : i8[1, 4, 4, 3]{Q}',
        f'%e = max_pool2d(%c) {{activation = "none", kernel = (3, 3), padding = (1, 1, 1, 1), stride = (1, 1)}} : i8[1, 4, 4, 3]{Q}',
        f'%b = add(%e, %c) {{activation = "none"}} : i8[1, 4, 4, 3]{Q}',
    ).replace("  func", f"{weights}\n{bias}\n  func")
    got = rewrite(text, "fold_constant_channels")
    assert got.count("i8[1, 4, 4, 2]") == 4
    assert "conv2d(%b, @v, @y_bias)" in got


def test_a_dense_layer_loses_a_channel_at_every_pixel() -> None:
    """Through a reshape that lines up all pixels."""
    text = module(
        f"%x : i8[1, 2, 1, 2]{Q}",
        f'%a = conv2d(%x, @w, @bias) {{activation = "none", {POINT}}} : i8[1, 2, 1, 3]{Q}',
        f"%b = reshape(%a) : i8[1, 6]{Q}",
        f'%y = dense(%b, @v) {{activation = "none"}} : i8[1, 2]{Q}',
        "return %y",
        constants="\n".join(
            [
                const("w", f"i8[3, 1, 1, 2]{W}", FIRST),
                const("bias", "i32[3]", np.array([7, 16, -7], np.int32)),
                const("v", f"i8[2, 6]{W}", np.arange(12, dtype=np.int8)),
            ]
        ),
    )
    rewritten = parse_module(text)
    assert fold_constant_channels(rewritten)
    by_name = {c.name: c.data.tolist() for c in rewritten.constants()}
    assert by_name["v"] == [[0, 2, 3, 5], [6, 8, 9, 11]]
    assert by_name["y_bias"] == [4 * (1 + 4), 4 * (7 + 10)]
    assert "reshape(%a) : i8[1, 4]" in rewrite(text, "fold_constant_channels")


def test_a_channel_that_nobody_reads_goes_whatever_it_is() -> None:
    """The reader's weights for it are zero."""
    text = two_layers(16).replace(const("w", f"i8[3, 1, 1, 2]{W}", FIRST), const("w", f"i8[3, 1, 1, 2]{W}", FIRST + 9))
    zeros = np.array([5, 0, 7], np.int8)
    text = text.replace(
        const("v", f"i8[1, 1, 1, 3]{W}", LAST + np.array([0, 1, 0], np.int8)), const("v", f"i8[1, 1, 1, 3]{W}", zeros)
    )
    got = rewrite(text, "fold_constant_channels")
    assert got.count("i8[1, 4, 4, 2]") == 2 and "conv2d(%b, @v)" in got


def test_one_channel_stays_where_all_are_constant() -> None:
    """A tensor has at least one."""
    text = two_layers(16).replace(const("w", f"i8[3, 1, 1, 2]{W}", FIRST), const("w", f"i8[3, 1, 1, 2]{W}", FIRST * 0))
    assert "i8[1, 4, 4, 1]" in rewrite(text, "fold_constant_channels").splitlines()[0]


def float_layers(bias: float) -> str:
    return module(
        "%x : f32[1, 4]",
        '%a = dense(%x, @w, @b) {activation = "none"} : f32[1, 2]',
        '%y = dense(%a, @v) {activation = "none"} : f32[1, 1]',
        "return %y",
        constants="\n".join(
            [
                const("w", "f32[2, 4]", np.array([[1, 2, 3, 4], [0, 0, 0, 0]], np.float32)),
                const("b", "f32[2]", np.array([1, bias], np.float32)),
                const("v", "f32[1, 2]", np.array([[1, 2]], np.float32)),
            ]
        ),
    )


def test_float_channels_go_only_where_they_are_zero() -> None:
    """Zero times a weight changes no sum, in whatever order; any other constant might be rounded differently."""
    for bias, channels in ((0.0, 1), (0.1, 2)):
        rewritten = parse_module(float_layers(bias))
        assert fold_constant_channels(rewritten) == (channels == 1)
        assert rewritten.infer.operations[0].results[0].type.shape == (1, channels)


def test_a_constant_that_others_use_stays_as_it_was() -> None:
    """Two convolutions share their weights; only one of them shrinks, by a copy under another name."""
    text = two_layers(16).replace(
        "return %y", f'%z = conv2d(%x, @w, @bias) {{activation = "none", {POINT}}} : i8[1, 4, 4, 3]{Q}\nreturn %y, %z'
    )
    got = rewrite(text, "fold_constant_channels")
    assert "%a = conv2d(%x, @w_2, @bias_2)" in got and "%z = conv2d(%x, @w, @bias)" in got


# --- random graphs

STEPS: list[Callable[[Builder], None]] = [
    *(Builder.convolve, Builder.convolve, Builder.convolve, Builder.dense, Builder.pool, Builder.pad, Builder.mean),
    *(Builder.binary, Builder.unary, Builder.requantise, Builder.resize, Builder.reshape, Builder.join, Builder.split),
]


@st.composite
def sparse_graphs(draw: st.DrawFn) -> Module:
    """Graphs in which whole channels of weights are zero, on the side of the inputs or of the results."""
    builder = Builder(draw, draw(st.sampled_from([[DType.INT8], [DType.INT8], [DType.FLOAT32]])))
    for step in draw(st.lists(st.sampled_from(STEPS), min_size=3, max_size=10)):
        step(builder)
    for op in builder.operations:
        weights = op.operands[1] if len(op.operands) > 1 else None
        if op.kind in ("conv2d", "depthwise_conv2d", "dense") and isinstance(weights, Constant):
            data = weights.data.copy()
            axis = draw(st.sampled_from([0, -1]))
            rows = np.moveaxis(data, axis, 0)
            rows[builder.rng.random(len(rows)) < draw(st.sampled_from([0.0, 0.5, 1.0]))] = 0
            op.operands[1] = constant(weights.name, data, weights.type)
    outputs = [builder.values[-1], *draw(st.lists(st.sampled_from(builder.values), max_size=1))]
    module = Graph("graph", {"infer": Function("infer", builder.inputs, builder.operations, outputs)})
    verify(module)
    return module


@settings(max_examples=250, deadline=None)
@given(original=sparse_graphs())
def test_no_byte_changes(original: Module) -> None:
    """By the pass alone and between the others; the types of the outputs stay, and a second run finds nothing."""
    text = print_module(original)
    alone, among = parse_module(text), parse_module(text)
    while fold_constant_channels(alone):
        verify(alone)
    run_passes(among)
    rng = np.random.default_rng(0)
    inputs = [random_input(v.type, rng) for v in original.infer.inputs]
    expected = Interpreter(original).run(inputs)
    for rewritten in (alone, among):
        assert [v.type for v in rewritten.infer.outputs] == [v.type for v in original.infer.outputs]
        for before, after in zip(expected, Interpreter(rewritten).run(inputs), strict=True):
            np.testing.assert_array_equal(after, before)


def test_half_of_the_person_detector_multiplies_by_zero(lichen_data: Path) -> None:
    """MACs of the MLPerf Tiny model before and after; the same bytes come out."""
    module = load(lichen_data / "models" / "vww_96_int8.tflite")
    original = parse_module(print_module(module))
    run_passes(module)
    macs = [sum(operator(op.kind).macs(op) for op in m.infer.operations) for m in (original, module)]
    assert macs == [7_489_664, 3_733_073]
    x = random_input(module.infer.inputs[0].type, np.random.default_rng(0))
    np.testing.assert_array_equal(Interpreter(module).run([x])[0], Interpreter(original).run([x])[0])
