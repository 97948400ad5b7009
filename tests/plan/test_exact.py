"""Order and offsets by constraint programming."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lichen.ir.accesses import whole
from lichen.plan import Plan, Problem, check_plan, make_plan
from lichen.plan.exact import solve
from lichen.plan.lead import clearance


def orders(problem: Problem) -> Iterator[tuple[int, ...]]:
    for order in permutations(range(len(problem.steps))):
        if all(order.index(p) < order.index(s) for s in order for p in problem.predecessors[s]):
            yield order


def brute_force(problem: Problem) -> int:
    """The least peak over all orders and all offsets, by trying them; lifetimes and conflicts worked out naively."""
    return min(_least_peak(problem, order) for order in orders(problem))


def _least_peak(problem: Problem, order: tuple[int, ...]) -> int:
    things = [(b.size, b.alignment, _alive(problem, order, b.name), b.name) for b in problem.buffers]
    for s, step in enumerate(problem.steps):
        if step.scratch:
            things.append((step.scratch, step.scratch_alignment, {order.index(s)}, ""))
    most = sum(size + alignment for size, alignment, _, _ in things)

    def meet(i: int, start_i: int, j: int, start_j: int) -> bool:
        (size_i, _, alive_i, name_i), (size_j, _, alive_j, name_j) = things[i], things[j]
        if not alive_i & alive_j or start_i + size_i <= start_j or start_j + size_j <= start_i:
            return False
        for ends, begins, alive, other, distance in (
            (name_i, name_j, alive_i, alive_j, start_j - start_i),
            (name_j, name_i, alive_j, alive_i, start_i - start_j),
        ):
            shared = alive & other
            if shared == {max(alive)} == {min(other)} and 0 <= max(alive) < len(order):
                step = problem.steps[order[max(alive)]]
                if ends in step.reads and begins in step.writes:
                    allowed = clearance(step, problem.buffer(ends), problem.buffer(begins))
                    if distance <= allowed.below or distance >= allowed.above:
                        return False
        return True

    def fits(peak: int, starts: list[int]) -> bool:
        if len(starts) == len(things):
            return True
        i = len(starts)
        size, alignment, _, _ = things[i]
        return any(
            all(not meet(j, starts[j], i, start) for j in range(i)) and fits(peak, [*starts, start])
            for start in range(0, peak - size + 1, alignment)
        )

    return next(peak for peak in range(most + 1) if fits(peak, []))


def _alive(problem: Problem, order: tuple[int, ...], name: str) -> set[int]:
    used = [k for k, s in enumerate(order) if name in problem.steps[s].reads + problem.steps[s].writes]
    used += [-1] * (name in problem.inputs) + [len(order)] * (name in problem.outputs)
    return set(range(min(used), max(used) + 1))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_equals_brute_force(random_problems: Callable[..., st.SearchStrategy[Problem]], data: st.DataObject) -> None:
    """On tiny problems the exact plan has the least peak of all orders and offsets, and knows it."""
    problem = data.draw(random_problems(most_steps=3, most_bytes=4))
    plan = make_plan(problem)
    assert plan.peak == brute_force(problem)
    assert plan.gap == 0


def skipping(sizes: list[int], spans: list[int]) -> Problem:
    """A chain without overlap in which buffer `k` is read once more `spans[k]` steps later."""
    buffers = tuple(Buffer(f"b{k}", size) for k, size in enumerate(sizes))
    steps = []
    for k in range(1, len(sizes)):
        reads = [j for j in range(k) if j == k - 1 or j + spans[j] == k]
        accesses = whole({i: sizes[j] for i, j in enumerate(reads)}, {0: sizes[k]})
        steps.append(Step(f"s{k}", tuple(f"b{j}" for j in reads), (f"b{k}",), accesses))
    return Problem(buffers, tuple(steps), ("b0",), (buffers[-1].name,))


STUBBORN = skipping([5, 3, 5, 6, 1, 9, 4, 7], [1, 3, 2, 4, 4, 2, 2, 3])


def test_meets_the_bound_where_greedy_does_not() -> None:
    """A problem on which rules of thumb waste bytes is solved to the bound, and the plan says how."""
    greedy, exact = make_plan(STUBBORN, exact=False), make_plan(STUBBORN)
    assert (greedy.method, exact.method) == ("greedy", "exact")
    assert exact.peak < greedy.peak
    assert exact.gap == 0


def test_without_or_tools_the_greedy_plan_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """The solver is optional: without it the plan is the greedy one, and its gap is printed."""
    monkeypatch.setattr(exact, "find_spec", lambda name: None)
    assert make_plan(STUBBORN) == make_plan(STUBBORN, exact=False)
    assert make_plan(STUBBORN).gap > 0


def test_order_and_offsets_together() -> None:
    """Where the order found first allows no placement at the bound, another order is found that does."""
    fixed, free = ORDERS
    assert fixed.peak > free.peak


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_never_worse_than_greedy(
    random_problems: Callable[..., st.SearchStrategy[Problem]], separate: Callable[[Problem], Plan], data: st.DataObject
) -> None:
    """From any plan, even one that shares nothing, the solver finds one at least as good as the greedy plan."""
    problem = data.draw(random_problems())
    greedy = make_plan(problem, exact=False)
    found = solve(problem, replace(separate(problem), lower_bound=greedy.lower_bound))
    check_plan(problem, found)
    assert found.lower_bound <= found.peak <= greedy.peak


def test_time_is_counted_not_measured() -> None:
    """A search cut short ends at the same plan every time."""
    start = make_plan(STUBBORN, exact=False)
    plans = {tuple(solve(STUBBORN, start, seconds=1e-3).offsets.items()) for _ in range(3)}
    assert len(plans) == 1
