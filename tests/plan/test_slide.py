"""Newest rows apart: which tensors keep them so, what shares a place, and that the checker sees a window that moves on wrongly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conv_strategies import chains
from lichen.ir.kernel import PLAIN
from lichen.ir.module import Module
from lichen.plan import Plan, PlanError, Problem, check_plan, make_plan, problem_of
from lichen.plan.lead import clearance
from lichen.plan.problem import Part, Rows
from lichen.plan.rows import Region, Streams
from lichen.plan.slide import slid, sliding


def whole(module: Module) -> Region:
    """All of a chain as one region, its input by rows."""
    return Streams(module.infer, module.infer.inputs).region(0, len(module.infer.operations))


def planned(module: Module) -> tuple[Region, Problem, Plan]:
    region = slid(whole(module))
    assert region is not None
    problem, _ = problem_of(module.infer, PLAIN, [region])
    return region, problem, make_plan(problem, exact=False)


def can_slide(module: Module) -> bool:
    return slid(whole(module)) is not None


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(module=chains().filter(can_slide))
def test_newest_rows_share_a_place(module: Module) -> None:
    """No two are held at the same time, but where one is computed from the other; a ring has a row less; the plan passes the replay."""
    region, problem, plan = planned(module)
    check_plan(problem, plan)
    assert all(region.rings[v] == whole(module).rings[v] - 1 for v in region.newest)
    (step,) = problem.steps
    results = {value: stage.result for value, stage in sliding(whole(module))}
    for (one, place), (other, elsewhere) in combinations(region.newest.items(), 2):
        if results[one] is not other and results[other] is not one:
            assert clearance(step, problem.buffer(place.name), problem.buffer(elsewhere.name)).free


def with_parts(problem: Problem, change: Callable[[Part], Part | None]) -> Problem:
    """The problem whose one step has other parts; those that become `None` do nothing."""
    (step,) = problem.steps
    parts = []
    for part in step.parts:
        changed = change(part)
        nothing = {i: intervals * 0 for i, intervals in part.accesses.writes.items()}
        parts.append(changed or replace(part, accesses=replace(part.accesses, writes=nothing)))
    return replace(problem, steps=(replace(step, parts=tuple(parts)),))


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(module=chains().filter(can_slide), data=st.data())
def test_a_window_that_is_wrong_is_refused(module: Module, data: st.DataObject) -> None:
    """One row short, or rows that are not moved on."""
    region, problem, plan = planned(module)
    name = data.draw(st.sampled_from([v.name for v in region.newest]))
    (reader,) = (stage for value, stage in sliding(whole(module)) if value.name == name)
    calls = region.calls.count([stage.result for stage in region.stages].index(reader.result))
    first, last = reader.needs[reader.operands[0]][:calls].T

    def is_move(part: Part) -> bool:
        return len(part.reads) == 1 and part.reads[0].tensor == part.writes[0].tensor == name

    if ((first[1:] > first[:-1]) & (first[1:] < last[:-1])).any():  # rows are kept while the window moves on
        with pytest.raises(PlanError, match=r"which is not there"):
            check_plan(with_parts(problem, lambda part: None if is_move(part) else part), plan)

    def short(rows: Rows) -> Rows:
        return replace(rows, rows=rows.rows - 1) if rows.buffer == name else rows

    if problem.buffer(name).size > module_row(region, name):
        shortened = with_parts(
            problem, lambda part: Part(tuple(map(short, part.reads)), tuple(map(short, part.writes)), part.accesses)
        )
        with pytest.raises(PlanError, match=r"which is not there|before its last read"):
            check_plan(shortened, plan)


def module_row(region: Region, name: str) -> int:
    """Bytes of a row of a tensor."""
    return next(place.type.bytes for v, place in region.newest.items() if v.name == name)


@settings(max_examples=20, deadline=None)
@given(module=chains())
def test_only_rows_that_windows_reach_over_lie_apart(module: Module) -> None:
    """A window of one row has none before its newest, and one that passes rows by would have to move more than it keeps."""
    region = whole(module)
    for value, stage in sliding(region):
        first, last = stage.needs[value][: region.calls.count(region.stages.index(stage))].T
        assert region.rings[value] > 1 and (first[1:] <= last[:-1]).all()
        assert (last - first).max() <= region.rings[value]
