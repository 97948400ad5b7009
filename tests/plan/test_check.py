"""The checker refuses what would compute wrong results, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lichen.ir.accesses import Accesses, elementwise, whole
from lichen.plan import Buffer, Plan, PlanError, Problem, Step, check_plan, make_plan
from lichen.plan.check import _first_access, _last_access

X, Y = Buffer("x", 8), Buffer("y", 8)
UP = elementwise(8, {0: 1}, 1)
MAP = Step("map", ("x",), ("y",), UP)


def plan(order: str, peak: int, scratch: dict[str, int] | None = None, **offsets: int) -> Plan:
    return Plan(tuple(order.split()), offsets, scratch or {}, peak, 0, "hand")


def problem(*steps: Step, buffers: tuple[Buffer, ...] = (X, Y), outputs: tuple[str, ...] = ("y",)) -> Problem:
    return Problem(buffers, steps, ("x",), outputs)


def refused(question: Problem, answer: Plan, *words: str) -> None:
    with pytest.raises(PlanError) as error:
        check_plan(question, answer)
    assert all(word in str(error.value) for word in words), str(error.value)


def test_in_place_elementwise_is_accepted() -> None:
    """An atomic elementwise step may write over its operand."""
    check_plan(problem(MAP), plan("map", 8, x=0, y=0))


def test_in_place_needs_atomic_accesses() -> None:
    """Without atomicity the write of an access may precede its read."""
    step = replace(MAP, accesses=replace(UP, atomic=False))
    refused(problem(step), plan("map", 8, x=0, y=0), "'map'", "byte 0 of 'x'", "'y'")
    check_plan(problem(step), plan("map", 9, x=1, y=0))


def test_one_byte_too_high_is_refused() -> None:
    """A result one byte above its lead destroys the second byte before it is read."""
    refused(problem(MAP), plan("map", 9, x=0, y=1), "'map' overwrites byte 1 of 'x'", "access 0", "access 1")


def test_descending_order_is_replayed() -> None:
    """The same kernel walking downwards may lie above, not below."""
    down = replace(MAP, accesses=Accesses({0: UP.reads[0][::-1]}, {0: UP.writes[0][::-1]}, atomic=True))
    check_plan(problem(down), plan("map", 9, x=0, y=1))
    refused(problem(down), plan("map", 9, x=1, y=0), "byte 0 of 'x'", "access 6", "access 7")


def test_operand_that_lives_on_is_protected() -> None:
    """In place is refused when a later step, or the end, still needs the operand."""
    refused(problem(MAP, outputs=("x", "y")), plan("map", 8, x=0, y=0), "the end needs byte 0 of 'x'", "'y'")
    z = Buffer("z", 8)
    again = Step("again", ("x",), ("z",), UP)
    refused(problem(MAP, again, buffers=(X, Y, z)), plan("map again", 16, x=0, y=0, z=8), "'again' reads byte 0 of 'x'")


def test_read_of_what_nobody_wrote_is_refused() -> None:
    """A step that reads a byte its producer does not write is reported, whatever the places."""
    short = replace(MAP, accesses=Accesses({0: np.array([[0, 8]])}, {0: np.array([[0, 7]])}))
    refused(problem(short), plan("map", 16, x=0, y=8), "the end needs byte 7 of 'y'", "nothing of use")


def test_order_is_checked() -> None:
    """Steps run once each, after the producers of what they read and after their `after`."""
    z = Buffer("z", 8)
    second = Step("second", ("y",), ("z",), UP, after=("map",))
    pair = problem(MAP, second, buffers=(X, Y, z), outputs=("z",))
    refused(pair, plan("map", 24, x=0, y=8, z=16), "['second']")
    refused(pair, plan("map map second", 24, x=0, y=8, z=16), "every step once")
    refused(pair, plan("second map", 24, x=0, y=8, z=16), "'second' runs before step 'map'")
    data_only = problem(MAP, replace(second, after=()), buffers=(X, Y, z), outputs=("z",))
    refused(data_only, plan("second map", 24, x=0, y=8, z=16), "'second' reads byte 0 of 'y'")


def test_places_are_checked() -> None:
    """Every buffer has an aligned place inside the arena."""
    aligned = problem(MAP, buffers=(X, replace(Y, alignment=4)))
    refused(aligned, plan("map", 16, x=0, y=6), "'y' starts at byte 6", "multiple of 4")
    refused(problem(MAP), plan("map", 15, x=0, y=8), "'y'", "outside the arena of 15")
    refused(problem(MAP), plan("map", 16, x=-1, y=8), "'x'", "outside")
    refused(problem(MAP), plan("map", 16, x=0), "'y' has no place")
    refused(problem(MAP), plan("map", 16, x=0, y=8, z=0), "'z' has no place, or a place and no bytes")
    refused(problem(MAP), plan("map", 16, {"map": 0}, x=0, y=8), "scratch of step 'map'")


def test_scratch_belongs_to_its_step() -> None:
    """Scratch may meet neither operands nor results of its step, nor anything that is needed later."""
    step = replace(MAP, scratch=4, scratch_alignment=4)
    check_plan(problem(step), plan("map", 12, {"map": 8}, x=0, y=0))
    refused(problem(step), plan("map", 20, {"map": 4}, x=0, y=12), "'map' reads byte 4 of 'x'", "nothing of use")
    refused(problem(step), plan("map", 20, {"map": 12}, x=0, y=8), "writes byte 4 of 'y' into its own scratch")
    refused(problem(step), plan("map", 14, {"map": 10}, x=0, y=0), "scratch of step 'map'", "multiple of 4")
    kept = problem(step, outputs=("x", "y"))
    refused(kept, plan("map", 16, {"map": 4}, x=0, y=8), "byte 4 of 'x'")


def test_scratch_place_is_free_before_and_after() -> None:
    """Bytes used as scratch hold other buffers at other times."""
    z = Buffer("z", 8)
    second = Step("second", ("y",), ("z",), UP, scratch=8)
    check_plan(
        problem(MAP, second, buffers=(X, Y, z), outputs=("z",)), plan("map second", 16, {"second": 0}, x=0, y=8, z=8)
    )


def test_inputs_may_not_overlap() -> None:
    """All inputs are there before the first step."""
    both = Problem((X, Buffer("w", 8), Y), (MAP,), ("x", "w"), ("y",))
    refused(both, plan("map", 16, x=0, w=4, y=8), "filling the inputs spoils byte 4 of 'x'", "'w'")
    check_plan(both, plan("map", 16, x=0, w=8, y=8))


def test_results_of_one_step_may_not_overlap() -> None:
    """A byte belongs to the last result written there; to nobody when both are written in one access."""
    z = Buffer("z", 8)
    pair = Step("pair", ("x",), ("y", "z"), whole({0: 8}, {0: 8, 1: 8}))
    refused(
        problem(pair, buffers=(X, Y, z), outputs=("y", "z")),
        plan("pair", 20, x=0, y=8, z=12),
        "byte 4 of 'y'",
        "nothing of use",
    )
    check_plan(problem(pair, buffers=(X, Y, z), outputs=("y", "z")), plan("pair", 24, x=0, y=8, z=16))
    turn = np.array([[0, 8], [0, 0]])
    in_turn = replace(pair, accesses=Accesses({0: turn}, {0: turn, 1: turn[::-1]}))
    check_plan(problem(in_turn, buffers=(X, Y, z), outputs=("z",)), plan("pair", 20, x=0, y=8, z=12))
    refused(
        problem(in_turn, buffers=(X, Y, z), outputs=("y",)), plan("pair", 20, x=0, y=8, z=12), "byte 4 of 'y'", "'z'"
    )


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)).map(sorted), max_size=12))
def test_access_times_match_a_byte_by_byte_count(rows: list[list[int]]) -> None:
    """First and last access of every byte agree with trying all intervals."""
    intervals = np.array(rows, np.int64).reshape(-1, 2)
    hits = [[k for k, (lo, hi) in enumerate(rows) if lo <= byte < hi] for byte in range(20)]
    assert _last_access(intervals, 20).tolist() == [max(ks, default=-1) for ks in hits]
    assert _first_access(intervals, 20).tolist() == [min(ks, default=len(rows)) for ks in hits]


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_verdict_agrees_with_execution(
    random_problems: Callable[..., st.SearchStrategy[Problem]],
    separate: Callable[[Problem], Plan],
    simulate: Callable[..., dict[str, bytes]],
    data: st.DataObject,
) -> None:
    """Buffers moved about at random: what the checker accepts computes the right bytes in either order within an access."""
    question = data.draw(random_problems(most_steps=4, most_bytes=8))
    apart = separate(question)
    moved = {b.name: data.draw(st.integers(0, 6)) * b.alignment for b in question.buffers}
    scratch = {s.name: data.draw(st.integers(0, 6)) * s.scratch_alignment for s in question.steps if s.scratch}
    answer = replace(apart, offsets=moved, scratch=scratch, peak=64)
    check_plan(question, apart)
    try:
        check_plan(question, answer)
    except PlanError:
        return
    for writes_first in (False, True):
        assert simulate(question, answer, writes_first) == simulate(question, apart, writes_first)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damaged_plans_are_refused(
    random_problems: Callable[..., st.SearchStrategy[Problem]],
    simulate: Callable[..., dict[str, bytes]],
    data: st.DataObject,
) -> None:
    """A valid plan in which one buffer is moved so that the result changes is refused."""
    question = data.draw(random_problems())
    answer = make_plan(question, exact=False)
    buffer = data.draw(st.sampled_from(question.buffers))
    offset = data.draw(st.integers(0, (answer.peak - buffer.size) // buffer.alignment)) * buffer.alignment
    damaged = replace(answer, offsets={**answer.offsets, buffer.name: offset})
    right, wrong = (simulate(question, p, True) for p in (answer, damaged))
    assume(right != wrong)
    with pytest.raises(PlanError):
        check_plan(question, damaged)


def test_large_models_take_about_a_second(net: Any) -> None:
    """30 steps of 40,000 accesses each, all overlapping their operands, are replayed in a second or so."""
    net.input("x0", 200, 200, 1)
    for k in range(30):
        net.conv(f"x{k}", f"x{k + 1}", (200, 200, 1), 3)
    question = net.problem("x30")
    answer = make_plan(question, exact=False)
    assert answer.peak == 40_000 + 30 * 202  # every step drifts down by its lead: a row and two pixels
    start = time.process_time()
    check_plan(question, answer)
    assert time.process_time() - start < 5
