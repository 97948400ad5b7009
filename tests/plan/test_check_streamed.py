"""The checker replays streamed steps: whatever is wrong with rings, rows or offsets is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from conv_strategies import convolutional_graphs
from lichen.compiler import prepare
from lichen.ir.kernel import PLAIN
from lichen.ir.module import Module
from lichen.passes.dead_code import dead_code
from lichen.plan import Plan, PlanError, Problem, check_plan, make_plan, problem_of
from lichen.plan.bound import lower_bound
from lichen.plan.problem import Part, Rows, Step
from lichen.plan.rows import Streams
from lichen.reading import load


def streamed(module: Module) -> tuple[Problem, Plan, Step]:
    """What a module needs for its outputs as one streamed step whose input comes by rows where it can, and its plan."""
    dead_code(module)
    assume(module.infer.operations)
    sources = [value for value in module.infer.inputs if not module.infer.is_output(value)]
    region = Streams(module.infer, sources).region(0, len(module.infer.operations))
    problem, _ = problem_of(module.infer, PLAIN, [region])
    return problem, make_plan(problem, exact=False), problem.steps[0]


def with_step(problem: Problem, step: Step) -> Problem:
    return replace(problem, steps=(step,))


def is_read(step: Step, written: Part) -> bool:
    """Whether a call reads the row that a part has written, which a stride may pass over, or the row leaves the step."""
    (rows,), row = written.writes, written.accesses.writes[0]
    return rows.buffer not in step.rings or any(
        (np.maximum(reads[:, 0], row[:, 0].min()) < np.minimum(reads[:, 1], row[:, 1].max())).any()
        for part in step.parts
        for k, reads in part.accesses.reads.items()
        if part.reads[k].tensor == rows.tensor
    )


@settings(max_examples=10, deadline=None)
@given(module=convolutional_graphs())
def test_plans_of_streamed_steps_pass_and_keep_the_bound(module: Module) -> None:
    """The plan has passed the replay; its peak is not below the bound."""
    problem, plan, _ = streamed(module)
    check_plan(problem, plan)
    assert lower_bound(problem) <= plan.lower_bound <= plan.peak


@settings(max_examples=10, deadline=None)
@given(module=convolutional_graphs(), data=st.data())
def test_a_ring_that_is_one_row_short_is_refused(module: Module, data: st.DataObject) -> None:
    """Some row is overwritten before its last reader comes, in every ring that keeps more than one."""
    problem, plan, step = streamed(module)
    deep = sorted({r.buffer for p in step.parts for r in p.writes if r.buffer in step.rings and r.rows > 1})
    assume(deep)
    short = data.draw(st.sampled_from(deep))

    def shortened(rows: Rows) -> Rows:
        return replace(rows, rows=rows.rows - 1) if rows.buffer == short else rows

    parts = tuple(Part(tuple(map(shortened, p.reads)), tuple(map(shortened, p.writes)), p.accesses) for p in step.parts)
    with pytest.raises(PlanError, match=r"which is not there|before its last read"):
        check_plan(with_step(problem, replace(step, parts=parts)), plan)


@settings(max_examples=10, deadline=None)
@given(module=convolutional_graphs(), data=st.data())
def test_a_call_that_is_left_out_is_refused(module: Module, data: st.DataObject) -> None:
    """Somebody, or the end, misses what it would have written."""
    problem, plan, step = streamed(module)
    k = data.draw(st.sampled_from([k for k, part in enumerate(step.parts) if is_read(step, part)]))
    nothing = {i: intervals * 0 for i, intervals in step.parts[k].accesses.writes.items()}
    accesses = replace(step.parts[k].accesses, writes=nothing)
    parts = (*step.parts[:k], replace(step.parts[k], accesses=accesses), *step.parts[k + 1 :])
    with pytest.raises(PlanError, match=r"which is not there|the end needs"):
        check_plan(with_step(problem, replace(step, parts=parts)), plan)


def test_a_ring_on_top_of_another_is_refused(lichen_data: Path) -> None:
    """The first two rings of ResNet-8 are in use at the same time."""
    infer = prepare(load(lichen_data / "models" / "resnet8_int8.tflite")).infer
    problem, _ = problem_of(infer, PLAIN, [Streams(infer).region(0, 12)])
    plan = make_plan(problem, exact=False)
    first, second = [name for name in plan.offsets if name in problem.steps[0].rings][:2]
    check_plan(problem, plan)
    with pytest.raises(PlanError, match=r"which is not there|before its last read"):
        check_plan(problem, replace(plan, offsets={**plan.offsets, second: plan.offsets[first]}))
