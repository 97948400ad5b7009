"""From a problem to a plan: the order first, then the offsets, then both together where that may still win something."""

from __future__ import annotations

from lichen.plan.bound import lower_bound
from lichen.plan.check import check_plan
from lichen.plan.exact import solve
from lichen.plan.greedy import place
from lichen.plan.layout import layout
from lichen.plan.order import best_order
from lichen.plan.plan import Plan
from lichen.plan.problem import Problem


def make_plan(problem: Problem, *, exact: bool = True) -> Plan:
    """A plan with as low a peak as is found in a few seconds; the same problem always gives the same plan.

    With `exact`, OR-tools looks on where the greedy plan does not meet the lower bound; where it is not installed the greedy plan
    stands, and says so in its `method`. Every plan has passed `check_plan`.
    """
    plan = sketch(problem)
    if exact and plan.gap:
        plan = solve(problem, plan)
    check_plan(problem, plan)
    return plan


def sketch(problem: Problem) -> Plan:
    """The greedy plan, unchecked: to compare problems by the RAM they take, not to run."""
    bound = lower_bound(problem)
    order = best_order(problem, bound)
    laid_out = layout(problem, order.steps)
    placement = place(laid_out, order.footprint)
    placed = list(zip(laid_out.items, placement.starts, strict=True))
    return Plan(
        order=tuple(problem.steps[s].name for s in order.steps),
        offsets={item.name: start for item, start in placed if not item.is_scratch},
        scratch={item.name: start for item, start in placed if item.is_scratch},
        peak=placement.peak,
        lower_bound=order.footprint if order.exact else bound,
        method="greedy",
    )
