"""Order and offsets together, by constraint programming (OR-tools CP-SAT).

Every step has a position, every item (buffer or scratch) a start. For each two items one of the following must hold: the first
is done with before the second begins, or the other way round; the first lies wholly below the second, or wholly above; the one
ends in the step where the other begins, as its operand and its result, at a distance their clearance allows. Whatever the data
dependencies decide is settled before the solver sees it: for a chain nothing but the starts is left to choose.

The run begins with a moment that uses every input and ends with one that uses every output, so those need no rule of their own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from itertools import combinations
from typing import TYPE_CHECKING

from lichen.plan.bound import ancestors
from lichen.plan.footprint import Footprints
from lichen.plan.plan import Plan
from lichen.plan.problem import Problem

if TYPE_CHECKING:
    from ortools.sat.python import cp_model

_DETERMINISTIC_SECONDS = 2.0  # for each of the two searches
_MAX_PAIRS = 6000  # items alive together, or perhaps; beyond, building the model alone takes longer than the search may
_MAX_FREE_PAIRS = 1500  # steps in either order; beyond, only the offsets are searched


def solve(problem: Problem, plan: Plan, *, seconds: float = _DETERMINISTIC_SECONDS) -> Plan:
    """The best plan found from `plan` on, with the bound that the search has proved; `plan` itself when there is none better.

    First the offsets for the plan's order, then, unless that meets the bound, order and offsets together. `seconds` are the
    solver's own, counted in its operations, so the result does not depend on the machine's speed. Without OR-tools `plan` comes
    back as it is; what is too large is not searched.
    """
    if find_spec("ortools") is None:
        return plan
    free = _Timeline.free(problem)
    if free.free_pairs():
        plan = _search(problem, plan, _Timeline.fixed(problem, plan), seconds)
    if plan.gap and free.free_pairs() <= _MAX_FREE_PAIRS:
        plan = _search(problem, plan, free, seconds)
    return plan


def _search(problem: Problem, plan: Plan, timeline: _Timeline, seconds: float) -> Plan:
    from ortools.sat.python import cp_model

    items = _items(problem, timeline)
    pairs = [(i, j) for i, j in combinations(range(len(items)), 2) if timeline.may_meet(items[i].users, items[j].users)]
    if len(pairs) > _MAX_PAIRS:
        return plan
    model = _Model(problem, plan, items, timeline, cp_model.CpModel())
    for i, j in pairs:
        model.separate(i, j)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 0
    solver.parameters.max_deterministic_time = seconds
    # It would leave an interrupt at the keyboard without Python's handler.
    solver.parameters.catch_sigint_signal = False
    if solver.solve(model.cp) not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return plan
    found = model.read(solver)
    best = found if found.peak < plan.peak else plan
    # With the order fixed the search has proved something of that order only.
    proved = round(solver.best_objective_bound) if timeline.is_free else 0
    return replace(best, lower_bound=max(plan.lower_bound, proved))


class _Timeline:
    """What is known of the order of moments: steps by index, then the begin and the end of the run."""

    def __init__(self, before: list[int], is_free: bool) -> None:
        """`before[s]` is the bit mask of the steps known to come before step `s`; `is_free` if only because they have to."""
        self.is_free = is_free
        steps = len(before)
        self.begin, self.end = steps, steps + 1
        self.before = [*(mask | 1 << self.begin for mask in before), 0, (1 << self.end) - 1]

    @classmethod
    def free(cls, problem: Problem) -> _Timeline:
        return cls(ancestors(problem), is_free=True)

    @classmethod
    def fixed(cls, problem: Problem, plan: Plan) -> _Timeline:
        before, done = [0] * len(problem.steps), 0
        for name in plan.order:
            before[problem.step_index[name]] = done
            done |= 1 << problem.step_index[name]
        return cls(before, is_free=False)

    def precedes(self, s: int, t: int) -> bool | None:
        """Whether moment `s` comes before `t`; `None` if that is open."""
        if self.before[t] >> s & 1:
            return True
        return False if s == t or self.before[s] >> t & 1 else None

    def may_meet(self, users: tuple[int, ...], others: tuple[int, ...]) -> bool:
        """Whether two items with these users can be alive together."""
        return not (
            all(self.precedes(s, t) for s in users for t in others)
            or all(self.precedes(t, s) for s in users for t in others)
        )

    def free_pairs(self) -> int:
        """The pairs of steps that can run in either order."""
        return sum(self.precedes(s, t) is None for s, t in combinations(range(self.begin), 2))


@dataclass(frozen=True)
class _Item:
    """A buffer, or the scratch of a step, and the moments that use it."""

    name: str
    size: int
    alignment: int
    users: tuple[int, ...]
    is_scratch: bool = False


def _items(problem: Problem, timeline: _Timeline) -> list[_Item]:
    """All buffers in the problem's order, then the scratch of each step that has any."""
    items = []
    for b in problem.buffers:
        users = {*problem.writers[b.name], *problem.readers[b.name]}
        if b.name in problem.inputs:
            users.add(timeline.begin)
        if b.name in problem.outputs:
            users.add(timeline.end)
        items.append(_Item(b.name, b.size, b.alignment, tuple(sorted(users))))
    items += [
        _Item(s.name, s.scratch, s.scratch_alignment, (i,), True) for i, s in enumerate(problem.steps) if s.scratch
    ]
    return items


class _Model:
    """The constraints, with `plan` as the hint."""

    def __init__(
        self, problem: Problem, plan: Plan, items: list[_Item], timeline: _Timeline, cp: cp_model.CpModel
    ) -> None:
        self.problem, self.plan, self.items, self.timeline, self.cp = problem, plan, items, timeline, cp
        self.footprints = Footprints(problem)
        self.hinted = [plan.order.index(step.name) for step in problem.steps]
        self.peak = cp.new_int_var(plan.lower_bound, plan.peak, "peak")
        cp.minimize(self.peak)
        cp.add_hint(self.peak, plan.peak)
        self.starts = [self._start(item) for item in items]
        self.order: dict[tuple[int, int], cp_model.LiteralT] = {}
        self.positions = self._positions()

    def read(self, solver: cp_model.CpSolver) -> Plan:
        """The plan that the solver has found."""
        starts = [solver.value(start) for start in self.starts]
        positions = [solver.value(position) for position in self.positions]
        steps = sorted(range(len(positions)), key=lambda s: (positions[s], s))
        placed = list(zip(self.items, starts, strict=True))
        return Plan(
            order=tuple(self.problem.steps[s].name for s in steps),
            offsets={item.name: start for item, start in placed if not item.is_scratch},
            scratch={item.name: start for item, start in placed if item.is_scratch},
            peak=max(start + item.size for item, start in placed),
            lower_bound=self.plan.lower_bound,
            method="exact",
        )

    def _start(self, item: _Item) -> cp_model.LinearExpr:
        quotient = self.cp.new_int_var(0, (self.plan.peak - item.size) // item.alignment, f"start {item.name}")
        self.cp.add(quotient * item.alignment + item.size <= self.peak)
        hint = self.plan.scratch if item.is_scratch else self.plan.offsets
        self.cp.add_hint(quotient, hint[item.name] // item.alignment)
        return quotient * item.alignment

    def _positions(self) -> list[cp_model.IntVar]:
        steps = self.problem.steps
        positions = [self.cp.new_int_var(0, len(steps) - 1, f"position {step.name}") for step in steps]
        for s in range(len(steps)):
            self.cp.add_hint(positions[s], self.hinted[s])
            for t in range(len(steps)):
                if self.timeline.precedes(t, s):
                    self.cp.add(positions[t] + 1 <= positions[s])
        return positions

    def separate(self, i: int, j: int) -> None:
        """Adds that items `i` and `j` keep out of each other's way, by one of the ways there are."""
        first, second = self.items[i], self.items[j]
        distance = self.starts[j] - self.starts[i]
        ways = [
            *self._one_before_other(first, second),
            *self._one_before_other(second, first),
            *self._handovers(i, j, distance),
            *self._handovers(j, i, -distance),
            self._literal(distance, low=first.size),
            self._literal(distance, high=-second.size),
        ]
        self.cp.add_bool_or(ways)

    def _one_before_other(self, first: _Item, second: _Item) -> Iterable[cp_model.IntVar]:
        pairs = [(s, t) for s in first.users for t in second.users]
        if all(self.timeline.precedes(s, t) is not False for s, t in pairs):
            yield self._literal(given=pairs)

    def _handovers(self, ends: int, starts: int, distance: cp_model.LinearExpr) -> Iterable[cp_model.IntVar]:
        """The ways in which item `starts`, `distance` above item `ends`, is born in a step where that dies."""
        first, second = self.items[ends], self.items[starts]
        if first.is_scratch or second.is_scratch:
            return
        for step in set(first.users) & set(second.users) & set(range(self.timeline.begin)):
            if not self.footprints.hands_over(step, ends, starts):
                continue
            given = [(s, step) for s in first.users if s != step] + [(step, t) for t in second.users if t != step]
            if any(self.timeline.precedes(s, t) is False for s, t in given):
                continue
            allowed = self.footprints.clearance(step, ends, starts)
            yield self._literal(distance, high=allowed.below, given=given)
            yield self._literal(distance, low=allowed.above, given=given)

    def _literal(
        self,
        distance: cp_model.LinearExprT = 0,
        *,
        low: int | None = None,
        high: int | None = None,
        given: Iterable[tuple[int, int]] = (),
    ) -> cp_model.IntVar:
        """A literal that, when true, keeps `distance` in its limits and the moments of each pair `given` in this order."""
        literal = self.cp.new_bool_var("")
        if low is not None or high is not None:
            far = self.plan.peak
            limits = (-far if low is None else low, far if high is None else high)
            self.cp.add_linear_constraint(distance, *limits).only_enforce_if(literal)
        for s, t in given:
            if self.timeline.precedes(s, t) is None:
                self.cp.add_implication(literal, self._in_order(s, t))
        return literal

    def _in_order(self, s: int, t: int) -> cp_model.LiteralT:
        """The literal that step `s` comes before step `t`; its negation is that `t` comes before `s`."""
        if (s, t) not in self.order:
            literal = self.cp.new_bool_var(f"{s} before {t}")
            self.order[s, t], self.order[t, s] = literal, ~literal
            self.cp.add(self.positions[s] + 1 <= self.positions[t]).only_enforce_if(literal)
            self.cp.add(self.positions[t] + 1 <= self.positions[s]).only_enforce_if(~literal)
            self.cp.add_hint(literal, self.hinted[s] < self.hinted[t])
        return self.order[s, t]
