"""Streaming regions: who computes when, how many rows are kept, and what shares a place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conv_strategies import convolutional_graphs
from graphs import int8
from lichen.errors import InputError
from lichen.ir.kernel import PLAIN
from lichen.ir.module import Function, Module, Operation, Value, constant
from lichen.ir.types import DType, Quantisation, TensorType
from lichen.plan.lead import clearance
from lichen.plan.lower import problem_of
from lichen.plan.rows import Region, Streams, can_stream, inputs_by_rows

ONES = {"dilation": (1, 1), "stride": (1, 1), "activation": "none"}


def conv(x: Value, name: str, kernel: int = 3, stride: int = 1) -> Operation:
    """A convolution of two channels to two, padded so that only the stride changes the size."""
    type_ = TensorType((2, kernel, kernel, 2), DType.INT8, Quantisation.per_tensor(0.1, 0))
    weights = constant(f"{name}_w", np.ones(type_.shape, np.int8), type_)
    _, height, width, _ = x.type.shape
    before, after = (kernel - 1) // 2, kernel // 2
    result = Value(name, int8((1, -(-height // stride), -(-width // stride), 2)))
    attributes = ONES | {"stride": (stride, stride), "padding": (before, after, before, after)}
    return Operation("conv2d", [x, weights], [result], attributes)


def add(a: Value, b: Value, name: str) -> Operation:
    return Operation("add", [a, b], [Value(name, a.type)], {"activation": "none"})


def function(*operations: Operation) -> Function:
    """A function of one input that returns the last result."""
    return Function("infer", [operations[0].operands[0]], list(operations), [operations[-1].results[0]])


def kept(region: Region) -> dict[str, int]:
    return {value.name: rows for value, rows in region.rings.items()}


@pytest.fixture
def x() -> Value:
    return Value("x", int8((1, 12, 5, 2)))


def test_a_window_keeps_as_many_rows_as_it_reaches_over(x: Value) -> None:
    """Kernel 5 behind kernel 3: five rows, each computed once, as late as possible."""
    a = conv(x, "a")
    region = Streams(function(a, conv(a.results[0], "b", kernel=5))).region(0, 2)
    assert kept(region) == {"a": 5}
    assert region.calls == (0, 0, 0, 1, *(0, 1) * 9, 1, 1)


def test_a_strided_window_takes_two_rows_at_a_time(x: Value) -> None:
    """Kernel 3, stride 2: three rows are kept, and the first output row needs two."""
    a = conv(x, "a")
    b = conv(a.results[0], "b", stride=2)
    region = Streams(function(a, b, conv(b.results[0], "c", kernel=1))).region(0, 3)
    assert kept(region) == {"a": 3, "b": 1}
    assert region.calls[:6] == (0, 0, 1, 2, 0, 0)


def test_a_residual_costs_no_row_more_than_the_windows(x: Value) -> None:
    """The sum takes the place of the branch that nobody else reads."""
    a = conv(x, "a")
    b = conv(a.results[0], "b")
    c = conv(b.results[0], "c")
    total = add(a.results[0], c.results[0], "sum")
    region = Streams(function(a, b, c, total, conv(total.results[0], "d"))).region(0, 5)
    assert kept(region) == {"a": 3, "b": 3, "sum": 3}
    assert region.home[c.results[0]] is total.results[0]


def test_what_is_needed_outside_is_kept_whole(x: Value) -> None:
    """A residual that crosses the cut."""
    a = conv(x, "a")
    b = conv(a.results[0], "b")
    c = conv(b.results[0], "c")
    region = Streams(function(a, b, c, add(a.results[0], c.results[0], "sum"))).region(0, 3)
    assert kept(region) == {"b": 3}
    assert [v.name for v in region.results] == ["a", "c"]


def test_an_input_that_comes_by_rows_is_kept_as_long_as_a_window_needs_it(x: Value) -> None:
    """Kernel 3, stride 2 behind kernel 3: a ring of three rows, each fetched once, right before the call that needs it."""
    a = conv(x, "a")
    region = Streams(function(a, conv(a.results[0], "b", stride=2)), [x]).region(0, 2)
    assert kept(region) == {"x": 3, "a": 3} and region.sources == (x,)
    assert region.operations == (a, region.operations[1])
    assert region.calls == (0, 0, 1, 0, 1, 2, *(0, 1, 0, 1, 2) * 4, 0, 1, 1, 2)


def test_rows_above_the_last_that_is_needed_are_fetched_and_no_others(x: Value) -> None:
    """Every third row is read: those between have to pass by, the two below the last need not come."""
    region = Streams(function(conv(x, "a", kernel=1, stride=3)), [x]).region(0, 1)
    assert kept(region) == {"x": 1} and region.calls.count(0) == 10


def test_a_region_holds_all_readers_of_an_input_that_comes_by_rows(x: Value) -> None:
    """It comes once, so a second region could not read it."""
    a = conv(x, "a")
    b = conv(a.results[0], "b")
    streams = Streams(function(a, b, add(b.results[0], x, "sum")), [x])
    assert streams.allows(0, 3) and streams.allows(1, 2)
    assert not streams.allows(0, 2) and not streams.allows(1, 3)


def test_inputs_that_cannot_come_by_rows_are_refused_with_the_reason(x: Value) -> None:
    """Not an image, a single row, an output as well, or read by an operation that does not compute by rows."""
    matrix, row = Value("m", int8((12, 10))), Value("r", int8((1, 1, 5, 2)))
    half = Operation("relu", [matrix], [Value("n", matrix.type)])
    turned = Operation("transpose", [x], [Value("t", x.type)], {"permutation": (0, 1, 2, 3)})
    both = function(conv(x, "a"))
    both.outputs.append(x)
    for refused, reason in (
        (function(half), r"input 'm' is \[12, 10\], not an image"),
        (function(conv(row, "a")), r"input 'r' is \[1, 1, 5, 2\], not an image of several rows"),
        (function(turned), "input 'x' has to be whole for transpose 't'"),
        (both, "input 'x' is an output, too"),
        (Function("infer", [x], [], []), "input 'x' is read by no operation"),
    ):
        with pytest.raises(InputError, match=reason):
            inputs_by_rows(refused)
    mixed = function(conv(x, "a"))
    mixed.inputs.append(matrix)
    assert inputs_by_rows(mixed) == (x,)


@settings(max_examples=60, deadline=None)
@given(module=convolutional_graphs(), by_rows=st.booleans())
def test_every_call_finds_the_rows_it_reads(module: Module, by_rows: bool) -> None:
    """Simulated row by row: written before, not overwritten since; no row twice, and all of those that are needed outside."""
    operations = module.infer.operations
    assert all(map(can_stream, operations))
    sources = [v for v in module.infer.inputs if by_rows and not module.infer.is_output(v)]
    region = Streams(module.infer, sources).region(0, len(operations))
    assert region.sources == tuple(v for v in sources if any(v in op.operands for op in operations))
    done = [0] * len(region.stages)
    rings: dict[tuple[Value, int], tuple[Value, int]] = {}
    for call in region.calls:
        stage, row = region.stages[call], done[call]
        for value, ranges in stage.needs.items():
            for needed in range(*ranges[row]):
                if value in region.home:
                    home = region.home[value]
                    assert rings[home, needed % region.rings[home]] == (value, needed)
                elif value in region.results:
                    assert needed < done[[s.result for s in region.stages].index(value)]
        if stage.result in region.home:
            home = region.home[stage.result]
            rings[home, row % region.rings[home]] = stage.result, row
        done[call] += 1
    for stage, rows in zip(region.stages, done, strict=True):
        assert rows == stage.rows or (stage.result in region.home and 0 < rows < stage.rows)


def test_what_cannot_be_computed_by_rows_cannot_stream(x: Value) -> None:
    """A transpose, a matrix, and a sum that repeats a single row of a variable."""
    row = Value("row", int8((1, 1, 5, 2)))
    y = Value("y", x.type)
    matrix = Value("m", int8((12, 10)))
    assert can_stream(add(x, x, "z"))
    assert not can_stream(Operation("add", [x, row], [y], {"activation": "none"}))
    assert not can_stream(Operation("relu", [matrix], [Value("n", matrix.type)]))
    assert not can_stream(Operation("transpose", [x], [Value("t", x.type)], {"permutation": (0, 1, 2, 3)}))


def test_rings_that_hold_a_row_at_different_times_share_a_place(x: Value) -> None:
    """What a 3x3 hands to a 1x1 is gone before the next 3x3 hands on its row; rings of three rows always hold something."""
    a = conv(x, "a")
    operations = [a]
    for name, kernel in (("b", 3), ("c", 1), ("d", 3), ("e", 1), ("f", 3)):
        operations.append(conv(operations[-1].results[0], name, kernel))
    region = Streams(function(*operations)).region(0, 6)
    assert kept(region) == {"a": 3, "b": 1, "c": 3, "d": 1, "e": 3}
    problem, _ = problem_of(function(*operations), PLAIN, [region])
    (step,) = problem.steps
    between = clearance(step, problem.buffer("b"), problem.buffer("d"))
    assert between.free and not clearance(step, problem.buffer("a"), problem.buffer("c")).free
    assert not clearance(step, problem.buffer("b"), problem.buffer("c")).free
