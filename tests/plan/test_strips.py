"""Regions in strips: which columns a strip computes, what is computed twice, and that the checker refuses a broken one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from conv_strategies import convolutional_graphs
from graphs import int8
from lichen.ir.kernel import PLAIN
from lichen.ir.module import Function, Module, Operation, Value, constant
from lichen.ir.operator import operator
from lichen.ir.types import DType, Quantisation, TensorType
from lichen.passes.dead_code import dead_code
from lichen.plan import PlanError, Problem, ProblemError, check_plan, make_plan, problem_of
from lichen.plan.rows import Region, Streams, pixel_bytes, row_bytes, spans
from lichen.plan.strips import in_strips, strip_columns


def conv(x: Value, name: str, kernel: int = 3, stride: int = 1) -> Operation:
    """A convolution of two channels to two, padded so that only the stride changes the size."""
    type_ = TensorType((2, kernel, kernel, 2), DType.INT8, Quantisation.per_tensor(0.1, 0))
    _, height, width, _ = x.type.shape
    before, after = (kernel - 1) // 2, kernel // 2
    result = Value(name, int8((1, -(-height // stride), -(-width // stride), 2)))
    attributes = {"dilation": (1, 1), "activation": "none"}
    attributes |= {"stride": (stride, stride), "padding": (before, after, before, after)}
    return Operation("conv2d", [x, constant(f"{name}_w", np.ones(type_.shape, np.int8), type_)], [result], attributes)


def function(*operations: Operation) -> Function:
    return Function("infer", [operations[0].operands[0]], list(operations), [operations[-1].results[0]])


def whole_region(module: Module, most: int = 5) -> Region:
    """All that a module needs for its outputs as one region, in as many strips as there can be up to `most`."""
    dead_code(module)
    assume(module.infer.operations)
    region = Streams(module.infer).region(0, len(module.infer.operations))
    cut = [found for n in range(most, 1, -1) if (found := in_strips(region, n)) is not None]
    assume(cut)
    return cut[0]


@settings(max_examples=60, deadline=None)
@given(module=convolutional_graphs())
def test_rows_and_columns_that_are_read_are_those_of_the_accesses(module: Module) -> None:
    """The rule from the window's geometry against what the operator says its kernel touches."""
    for op in module.infer.operations:
        result = op.results[0]
        accesses = operator(op.kind).accesses(op)
        writes = accesses.writes[0][:, 0]
        for operand, reads in accesses.reads.items():
            used = reads[:, 0] < reads[:, 1]
            first, last = reads[used, 0], reads[used, 1] - 1
            value = op.operands[operand]
            for axis, size, written in (
                (1, row_bytes(value), writes // row_bytes(result)),
                (2, pixel_bytes(value), writes % row_bytes(result) // pixel_bytes(result)),
            ):
                extent = value.type.shape[axis]
                expected = spans(op, axis)
                for index in range(result.type.shape[axis]):
                    here = written[used] == index
                    found = (first[here] // size % extent, last[here] // size % extent + 1)
                    begin, end = expected[index]
                    assert begin >= end if not here.any() else (begin, end) == (found[0].min(), found[1].max())


def test_a_strip_computes_its_halo_and_no_column_more() -> None:
    """Two windows of 3 in a width of 12: half of it, one column further, two columns further."""
    x = Value("x", int8((1, 9, 12, 2)))
    a = conv(x, "a")
    b = conv(a.results[0], "b")
    region = Streams(function(a, b)).region(0, 2)
    left, right = strip_columns(region, 2, 0), strip_columns(region, 2, 1)
    assert left == {b.results[0]: (0, 6), a.results[0]: (0, 7), x: (0, 8)}
    assert right == {b.results[0]: (6, 12), a.results[0]: (5, 12), x: (4, 12)}
    cut = in_strips(region, 2)
    assert cut is not None
    assert [[row_bytes(owner) for owner in one.rings] for one in cut.strips] == [[14], [14]]
    assert cut.macs == region.macs + 2 * 9 * 2 * 2 * 9  # two columns of `a` twice: 9 rows, 2 channels, 2 * 9 taps


@settings(max_examples=30, deadline=None)
@given(module=convolutional_graphs())
def test_macs_are_those_of_the_pixels_computed(module: Module) -> None:
    """Counted call by call of every strip: of a convolution all weights are used for each pixel."""
    region = whole_region(module)
    counted = 0
    for one in region.strips:
        for op in (one.operations[call] for call in one.calls):
            if op.kind.endswith("conv2d"):
                counted += op.results[0].type.shape[2] * op.operands[1].type.elements
    assert region.macs == counted


@settings(max_examples=15, deadline=None)
@given(module=convolutional_graphs())
def test_strips_together_write_every_column_once(module: Module) -> None:
    """Plans pass the replay; results are those of the region; the last strip leaves them whole."""
    region = whole_region(module)
    problem, _ = problem_of(module.infer, PLAIN, [region])
    check_plan(problem, make_plan(problem, exact=False))
    assert [one.is_last for one in region.strips] == [False] * (len(region.strips) - 1) + [True]
    for value in region.results:
        written = [
            stage.result for one in region.strips for stage in one.stages if one.lies(stage.result).tensor is value
        ]
        assert sum(part.type.shape[2] for part in written) == value.type.shape[2]


def without(problem: Problem, name: str) -> Problem:
    """The problem without one of its steps and what only that uses."""
    gone = next(step for step in problem.steps if step.name == name)
    steps = tuple(
        replace(step, after=tuple(n for n in step.after if n != name)) for step in problem.steps if step is not gone
    )
    buffers = tuple(b for b in problem.buffers if b.name not in gone.rings)
    return replace(problem, buffers=buffers, steps=steps)


@settings(max_examples=15, deadline=None)
@given(module=convolutional_graphs(), data=st.data())
def test_a_strip_that_is_left_out_is_refused(module: Module, data: st.DataObject) -> None:
    """The end misses its columns, wherever the rest lies."""
    problem, _ = problem_of(module.infer, PLAIN, [whole_region(module)])
    name = data.draw(st.sampled_from([step.name for step in problem.steps]))
    broken = without(problem, name)
    plan = make_plan(problem, exact=False)
    gone = {b.name for b in problem.buffers} - {b.name for b in broken.buffers}
    rest = replace(
        plan,
        order=tuple(n for n in plan.order if n != name),
        offsets={n: offset for n, offset in plan.offsets.items() if n not in gone},
        scratch={n: offset for n, offset in plan.scratch.items() if n != name},
    )
    with pytest.raises(PlanError, match="the end needs"):
        check_plan(broken, rest)


def test_a_halo_that_is_a_column_short_is_refused() -> None:
    """The ring of a strip without the column next to the other strip: the window finds it nowhere."""
    x = Value("x", int8((1, 9, 12, 2)))
    a = conv(x, "a")
    infer = function(a, conv(a.results[0], "b"))
    cut = in_strips(Streams(infer).region(0, 2), 2)
    assert cut is not None
    problem, _ = problem_of(infer, PLAIN, [cut])
    plan = make_plan(problem, exact=False)
    step = problem.steps[0]
    (ring,) = step.rings
    parts = []
    for part in step.parts:
        if part.writes[0].buffer == ring:  # 6 of 7 columns
            short = part.accesses.writes[0][:-1]
            reads = {k: r[:-1] for k, r in part.accesses.reads.items()}
            part = replace(part, accesses=replace(part.accesses, reads=reads, writes={0: short}))
        parts.append(part)
    check_plan(problem, plan)
    broken = replace(problem, steps=(replace(step, parts=tuple(parts)), *problem.steps[1:]))
    with pytest.raises(PlanError, match="reads byte 12 of row 0 of 'a strip 1', which is not there"):
        check_plan(broken, plan)


def test_two_strips_that_write_the_same_column_are_refused() -> None:
    """Each byte of a result is written once."""
    x = Value("x", int8((1, 9, 12, 2)))
    a = conv(x, "a")
    infer = function(a, conv(a.results[0], "b"))
    cut = in_strips(Streams(infer).region(0, 2), 2)
    assert cut is not None
    one, two = cut.strips
    moved = {value: columns._replace(first=columns.first - 1) for value, columns in two.columns.items()}
    with pytest.raises(ProblemError, match="is written by more than one step"):
        problem_of(infer, PLAIN, [replace(cut, strips=(one, replace(two, columns=moved)))])


def test_what_cannot_be_cut() -> None:
    """More strips than columns; a result that the region itself reads beyond a strip's columns; an input that comes by rows."""
    x = Value("x", int8((1, 9, 3, 2)))
    a = conv(x, "a")
    b = conv(a.results[0], "b")
    infer = function(a, b)
    assert in_strips(Streams(infer).region(0, 2), 3) is not None
    assert in_strips(Streams(infer).region(0, 2), 4) is None
    assert in_strips(Streams(infer, [x]).region(0, 2), 2) is None
    infer.outputs.append(a.results[0])
    assert in_strips(Streams(infer).region(0, 2), 2) is None
