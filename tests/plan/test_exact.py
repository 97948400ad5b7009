"""Order and offsets by constraint programming."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.ir.accesses import whole
from lichen.plan import Buffer, Plan, Problem, Step, check_plan, exact, make_plan
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

    def given_up_to(ends: int, begins: int) -> Callable[[int], bool]:
        """At which distances the second may lie when it is born where the first dies."""
        (_, _, alive, first), (_, _, other, second) = things[ends], things[begins]
        if alive & other == {max(alive)} == {min(other)} and 0 <= max(alive) < len(order):
            step = problem.steps[order[max(alive)]]
            if first in step.reads and second in step.writes:
                return clearance(step, problem.buffer(first), problem.buffer(second)).allows
        return lambda distance: False

    def refused(i: int, j: int) -> set[int]:
        """The distances from thing `i` to thing `j` that are not allowed."""
        if not things[i][2] & things[j][2]:
            return set()
        forth, back = given_up_to(i, j), given_up_to(j, i)
        return {d for d in range(1 - things[j][0], things[i][0]) if not forth(d) and not back(-d)}

    bad = {(i, j): refused(i, j) for j in range(len(things)) for i in range(j)}

    def fits(peak: int, starts: list[int]) -> bool:
        if len(starts) == len(things):
            return True
        i = len(starts)
        size, alignment, _, _ = things[i]
        return any(
            all(start - starts[j] not in bad[j, i] for j in range(i)) and fits(peak, [*starts, start])
            for start in range(0, peak - size + 1, alignment)
        )

    return next(peak for peak in range(most + 1) if fits(peak, []))


def _alive(problem: Problem, order: tuple[int, ...], name: str) -> set[int]:
    used = [k for k, s in enumerate(order) if name in problem.steps[s].reads + problem.steps[s].writes]
    used += [-1] * (name in problem.inputs) + [len(order)] * (name in problem.outputs)
    return set(range(min(used), max(used) + 1))


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_equals_brute_force(random_problems: Callable[..., st.SearchStrategy[Problem]], data: st.DataObject) -> None:
    """On tiny problems the exact plan has the least peak of all orders and offsets, and knows it."""
    problem = data.draw(random_problems(most_steps=2, most_bytes=4))
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


STUBBORN = skipping([6, 22, 29, 6, 11, 14, 17, 26, 17, 29], [2, 3, 3, 4, 4, 2, 3, 3, 1, 3])


def test_meets_the_bound_where_greedy_does_not() -> None:
    """A problem on which rules of thumb waste bytes is solved to the bound, and the plan says how."""
    greedy, plan = make_plan(STUBBORN, exact=False), make_plan(STUBBORN)
    assert (greedy.method, plan.method) == ("greedy", "exact")
    assert plan.peak < greedy.peak
    assert plan.gap == 0


def test_without_or_tools_the_greedy_plan_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """The solver is optional: without it the plan is the greedy one, and its gap is printed."""
    monkeypatch.setattr(exact, "find_spec", lambda name: None)
    assert make_plan(STUBBORN) == make_plan(STUBBORN, exact=False)
    assert make_plan(STUBBORN).gap > 0


def test_order_and_offsets_together() -> None:
    """Where no placement for the order found first meets the bound, another order does: the search frees both."""
    buffers = tuple(
        Buffer(*b) for b in [("x", 4), ("w", 4), ("a", 6, 2), ("b", 3, 4), ("c", 1), ("d", 6, 2), ("e", 1, 2)]
    )
    size = {b.name: b.size for b in buffers}
    steps = tuple(
        Step(name, tuple(reads), (name,), whole({i: size[r] for i, r in enumerate(reads)}, {0: size[name]}), scratch)
        for name, reads, scratch in [("a", "x", 0), ("b", "a", 3), ("c", "x", 2), ("d", "c", 2), ("e", "ab", 2)]
    )
    problem = Problem(buffers, steps, ("x", "w"), ("e",))
    greedy, plan = make_plan(problem, exact=False), make_plan(problem)
    assert plan.order != greedy.order
    assert plan.peak < min(_least_peak(problem, tuple(map(problem.step_index.__getitem__, greedy.order))), greedy.peak)
    assert plan.gap == 0


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


def test_an_interrupt_after_a_search_is_pythons() -> None:
    """Ctrl-C still raises `KeyboardInterrupt` afterwards: the solver does not leave the signal to the system, which just kills."""
    make_plan(STUBBORN)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
