"""Regions in strips: which columns a strip computes, what is computed twice, and that the checker refuses a broken one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from conv_strategies import convolutional_graphs
from graphs import int8
from lichen.compiler import prepare
from lichen.ir.kernel import PLAIN
from lichen.ir.module import Function, Module, Operation, Value, constant
from lichen.ir.operator import operator
from lichen.ir.types import DType, Quantisation, TensorType
from lichen.passes.dead_code import dead_code
from lichen.plan import PlanError, Problem, check_plan, make_plan, problem_of
from lichen.plan.need import Need
from lichen.plan.problem import Part, Step
from lichen.plan.rows import Region, Streams, pixel_bytes, row_bytes, spans
from lichen.plan.streamed import held, most_held
from lichen.plan.strips import in_strips, strip_columns
from lichen.reading import load


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
    assert list(cut.ring_bytes.values()) == [3 * 14]
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
def test_strips_together_write_every_column(module: Module) -> None:
    """Plans pass the replay, and every column of a result is some strip's."""
    region = whole_region(module)
    problem, _ = problem_of(module.infer, PLAIN, [region])
    check_plan(problem, make_plan(problem, exact=False))
    for value in region.results:
        written = np.zeros(value.type.shape[2], np.int64)
        for one in region.strips:
            for stage in one.stages:
                tensor, first = one.lies(stage.result)
                if tensor is value:
                    written[first : first + stage.result.type.shape[2]] += 1
        assert written.all()


def with_parts(problem: Problem, parts: Sequence[Part]) -> Problem:
    return replace(problem, steps=(replace(problem.steps[0], parts=tuple(parts)),))


def silenced(part: Part) -> Part:
    """The part with empty accesses."""
    reads = {k: intervals * 0 for k, intervals in part.accesses.reads.items()}
    writes = {k: intervals * 0 for k, intervals in part.accesses.writes.items()}
    return replace(part, accesses=replace(part.accesses, reads=reads, writes=writes))


@settings(max_examples=15, deadline=None)
@given(module=convolutional_graphs(), data=st.data())
def test_a_strip_that_is_left_out_is_refused(module: Module, data: st.DataObject) -> None:
    """The end misses its columns."""
    region = whole_region(module)
    assume(len(region.results) == 1)
    problem, _ = problem_of(module.infer, PLAIN, [region])
    plan = make_plan(problem, exact=False)
    gone = data.draw(st.integers(0, len(region.strips) - 1))
    begin = sum(len(one.calls) for one in region.strips[:gone])
    end = begin + len(region.strips[gone].calls)
    parts = [silenced(p) if begin <= k < end else p for k, p in enumerate(problem.steps[0].parts)]
    with pytest.raises(PlanError, match="the end needs"):
        check_plan(with_parts(problem, parts), plan)


def test_a_halo_that_is_a_column_short_is_refused() -> None:
    """The ring of a strip without the column next to the other strip: the window finds it nowhere."""
    x = Value("x", int8((1, 9, 12, 2)))
    a = conv(x, "a")
    infer = function(a, conv(a.results[0], "b"))
    cut = in_strips(Streams(infer).region(0, 2), 2)
    assert cut is not None
    problem, _ = problem_of(infer, PLAIN, [cut])
    plan = make_plan(problem, exact=False)
    parts = []
    for part in problem.steps[0].parts:
        if part.writes[0].tensor == "a strip 1":  # 6 of 7 columns
            reads = {k: r[:-1] for k, r in part.accesses.reads.items()}
            part = replace(part, accesses=replace(part.accesses, reads=reads, writes={0: part.accesses.writes[0][:-1]}))
        parts.append(part)
    check_plan(problem, plan)
    with pytest.raises(PlanError, match="reads byte 12 of row 0 of 'a strip 1', which is not there"):
        check_plan(with_parts(problem, parts), plan)


@settings(max_examples=15, deadline=None)
@given(module=convolutional_graphs())
def test_the_need_is_that_of_the_plan(module: Module) -> None:
    """What the search counts without planning is what the planner finds held at the worst call.

    It counts whole rows of what dies, also where a stride leaves the end of the last one unread; and hulls of strided writes in strips.
    """
    dead_code(module)
    assume(module.infer.operations)
    region = Streams(module.infer).region(0, len(module.infer.operations))
    dying = module.infer.inputs
    assume(not any(module.infer.is_output(value) for value in dying))
    for count in (1, 2, 3):
        cut = in_strips(region, count) if count > 1 else region
        if cut is None:
            continue
        problem, _ = problem_of(module.infer, PLAIN, [cut])
        step = problem.steps[0]
        others = sum(b.size for b in problem.buffers if b.name not in (*step.reads, *step.writes))
        found = most_held([held(step, problem.buffer(name)) for name in (*step.reads, *step.writes)]) + others
        counted = Need(region, dying)
        need = counted.whole() if count == 1 else counted.in_strips(count, np.inf)
        assert need is not None
        bytes_ = need if isinstance(need, int) else need[0]
        if count == 1:
            assert 0 <= bytes_ - found <= sum(unread_end(step, v) for v in dying)
        else:
            assert abs(bytes_ - found) <= sum(row_bytes(v) for v in (*dying, *region.results))


def unread_end(step: Step, value: Value) -> int:
    """Bytes at the end of the last row of `value` that `step` reads at all which it does not read."""
    read = max((int(reads.max()) for reads in step.reads_of(value.name)), default=0)
    return -read % row_bytes(value)


def test_what_cannot_be_cut() -> None:
    """More strips than columns, and a strip that would see only padding."""
    x = Value("x", int8((1, 9, 3, 2)))
    a = conv(x, "a")
    b = conv(a.results[0], "b")
    infer = function(a, b)
    assert in_strips(Streams(infer).region(0, 2), 3) is not None
    assert in_strips(Streams(infer).region(0, 2), 4) is None
    pad = Operation(
        "pad", [x], [Value("p", int8((1, 9, 6, 2)))], {"before": (0, 0, 3, 0), "after": (0, 0, 0, 0), "value": 0.0}
    )
    wide = Streams(function(pad, conv(pad.results[0], "c", kernel=1))).region(0, 2)
    assert in_strips(wide, 2) is None
    assert in_strips(wide, 1) is not None


def test_an_input_by_rows_comes_again_for_every_strip() -> None:
    """Its ring keeps whole rows."""
    x = Value("x", int8((1, 9, 12, 2)))
    a = conv(x, "a")
    region = Streams(function(a, conv(a.results[0], "b")), [x]).region(0, 2)
    cut = in_strips(region, 2)
    assert cut is not None and cut.ring_bytes[x] == region.ring_bytes[x]
    assert [one.calls.count(0) for one in cut.strips] == [9, 9]


def test_the_exact_search_goes_on_with_strips(lichen_data: Path) -> None:
    """The person detector, its image by rows, two regions in six strips each: greedy leaves a gap that the search closes."""
    infer = prepare(load(lichen_data / "models" / "vww_96_int8.tflite")).infer
    streams = Streams(infer, infer.inputs)
    regions = [in_strips(streams.region(begin, end), 6) for begin, end in ((0, 8), (8, 12))]
    problem, _ = problem_of(infer, PLAIN, [region for region in regions if region is not None])
    assert make_plan(problem, exact=False).gap > 0 == make_plan(problem).gap
