"""A plan as text and as data."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lichen.errors import InputError
from lichen.plan import Plan, make_plan, table


@pytest.fixture
def problem(net: Any) -> Any:
    net.input("x", 10)
    net.full("x", "y", 20, scratch=4)
    net.add("y", "y", "z")
    return net.problem("z")


def test_summary_names_peak_bound_and_gap(problem: Any) -> None:
    """The one line that is printed after planning."""
    assert make_plan(problem).summary() == "arena 34 B, lower bound 34 B, no gap (greedy)"
    wasteful = Plan((), {}, {}, 1234, 1200, "greedy")
    assert wasteful.summary() == "arena 1,234 B, lower bound 1,200 B, gap 34 B (greedy)"


def test_table_has_a_line_for_each_step(problem: Any) -> None:
    """Each step's operands, results and scratch with their places."""
    plan = Plan(("y", "z"), {"x": 20, "y": 0, "z": 0}, {"y": 30}, 34, 34, "hand")
    assert table(problem, plan).splitlines() == [
        "y  x@[20, 30) -> y@[0, 20) + scratch@[30, 34)",
        "z  y@[0, 20) -> z@[0, 20)",
    ]


def test_round_trip_through_json(problem: Any) -> None:
    """A plan survives its own data, through JSON text."""
    plan = make_plan(problem)
    assert Plan.from_dict(json.loads(json.dumps(plan.to_dict()))) == plan


@pytest.mark.parametrize(
    "damage", [{"peak": None}, {"order": 3}, {"buffers": [{"name": "x"}]}, {"order": [1]}, {"peak": True}]
)
def test_damaged_data_is_refused(problem: Any, damage: dict[str, Any]) -> None:
    """Data that is not a plan gives an error, not a broken plan."""
    with pytest.raises(InputError, match="not a memory plan"):
        Plan.from_dict({**make_plan(problem).to_dict(), **damage})
    with pytest.raises(InputError, match="not a memory plan"):
        Plan.from_dict({})
