"""The order with the smallest worst step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.plan import Problem
from lichen.plan.bound import lower_bound
from lichen.plan.footprint import Footprints
from lichen.plan.order import best_order


def orders(problem: Problem, done: tuple[int, ...] = ()) -> Iterator[tuple[int, ...]]:
    """All valid orders that begin with `done`."""
    if len(done) == len(problem.steps):
        yield done
    for s, needs in enumerate(problem.predecessors):
        if s not in done and needs <= set(done):
            yield from orders(problem, (*done, s))


def worst_step(problem: Problem, order: tuple[int, ...]) -> int:
    """The largest footprint of a step when run in `order`."""
    footprints, done = Footprints(problem), 0
    worst, live = footprints.entry()
    for s in order:
        during, live = footprints.run(s, done, live)
        worst, done = max(worst, during), done | 1 << s
    return worst


def branches(net: Any, count: int) -> Problem:
    """`count` branches that each blow a small input up, shrink it again, and meet in one sum."""
    net.input("x", 4)
    for k in range(count):
        net.full("x", f"big{k}", 100 + k)
    for k in range(count):
        net.full(f"big{k}", f"small{k}", 4)
    for k in range(1, count):
        net.add(f"sum{k - 1}" if k > 1 else "small0", f"small{k}", f"sum{k}")
    return net.problem(f"sum{count - 1}")  # type: ignore[no-any-return]


def test_one_branch_at_a_time(net: Any) -> None:
    """Branches listed side by side are run one after the other."""
    problem = branches(net, 4)
    order = best_order(problem, lower_bound(problem))
    assert order.exact
    assert worst_step(problem, tuple(range(len(problem.steps)))) > 400
    assert order.footprint == worst_step(problem, order.steps) < 125


def test_large_graphs_are_searched_by_beam(net: Any) -> None:
    """With no room for the exact search the order is still good, valid, and called what it is."""
    problem = branches(net, 12)
    order = best_order(problem, lower_bound(problem), max_sets=10)
    assert not order.exact
    assert sorted(order.steps) == list(range(len(problem.steps)))
    assert all(order.steps.index(p) < order.steps.index(s) for s in order.steps for p in problem.predecessors[s])
    assert order.footprint == worst_step(problem, order.steps) < 200


def test_listed_order_wins_ties(net: Any) -> None:
    """Where every order costs the same, steps stay as the network has them."""
    net.input("x", 10)
    for name in "abc":
        net.full("x", name, 1)
    problem = net.problem("x", "a", "b", "c")
    assert best_order(problem, lower_bound(problem)).steps == (0, 1, 2)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_exact_order_equals_trying_all(
    random_problems: Callable[..., st.SearchStrategy[Problem]], data: st.DataObject
) -> None:
    """No order has a smaller worst step than the exact one, and none goes below the bound over all orders."""
    problem = data.draw(random_problems(most_steps=5))
    bound = lower_bound(problem)
    order = best_order(problem, bound)
    least = min(worst_step(problem, o) for o in orders(problem))
    assert order.exact
    assert bound <= least
    assert order.footprint == max(least, bound)
