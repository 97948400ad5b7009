"""Execution order and memory plan of a function, with an independent checker."""

from lichen.plan.check import PlanError, check_plan
from lichen.plan.lower import Names, problem_of
from lichen.plan.plan import Plan, table
from lichen.plan.planner import make_plan
from lichen.plan.problem import Buffer, Problem, ProblemError, Step

__all__ = [
    "Buffer",
    "Names",
    "Plan",
    "PlanError",
    "Problem",
    "ProblemError",
    "Step",
    "check_plan",
    "make_plan",
    "problem_of",
    "table",
]
