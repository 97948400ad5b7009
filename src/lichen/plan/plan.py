"""The answer of the planner: an order, a place for everything, and how far from the bound it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lichen.errors import InputError
from lichen.plan.problem import Problem


@dataclass(frozen=True)
class Plan:
    """Bytes throughout. `order` names all steps; `offsets` has every buffer, `scratch` every step that asks for scratch.

    `lower_bound` holds for every plan of the problem. `method` is `greedy` or `exact`; a greedy plan is best, too, when its gap
    is 0.
    """

    order: tuple[str, ...]
    offsets: Mapping[str, int]
    scratch: Mapping[str, int]
    peak: int
    lower_bound: int
    method: str

    @property
    def gap(self) -> int:
        """The most that a better plan could save."""
        return self.peak - self.lower_bound

    def summary(self) -> str:
        """One line: peak, lower bound, gap and method."""
        gap = f"gap {self.gap:,} B" if self.gap else "no gap"
        return f"arena {self.peak:,} B, lower bound {self.lower_bound:,} B, {gap} ({self.method})"

    def to_dict(self) -> dict[str, Any]:
        """The plan as JSON-able data; `from_dict` reads it back."""
        return {
            "peak": self.peak,
            "lower_bound": self.lower_bound,
            "gap": self.gap,
            "method": self.method,
            "order": list(self.order),
            "buffers": [{"name": name, "offset": offset} for name, offset in self.offsets.items()],
            "scratch": [{"step": name, "offset": offset} for name, offset in self.scratch.items()],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Plan:
        """The plan that `to_dict` described. Raises `InputError` when `data` is not one."""
        try:
            plan = cls(
                order=tuple(data["order"]),
                offsets={entry["name"]: entry["offset"] for entry in data["buffers"]},
                scratch={entry["step"]: entry["offset"] for entry in data["scratch"]},
                peak=data["peak"],
                lower_bound=data["lower_bound"],
                method=data["method"],
            )
            numbers = (*plan.offsets.values(), *plan.scratch.values(), plan.peak, plan.lower_bound)
            names = (*plan.order, *plan.offsets, *plan.scratch, plan.method)
            usable = all(type(n) is int for n in numbers) and all(type(n) is str for n in names)
        except (KeyError, TypeError) as error:
            raise InputError(f"this is not a memory plan: {error!r}") from error
        if not usable:
            raise InputError("this is not a memory plan: offsets must be whole numbers and names text")
        return plan


def table(problem: Problem, plan: Plan) -> str:
    """One line a step: the bytes it reads, writes and uses as scratch, as `name@[begin, end)`."""

    def place(name: str) -> str:
        return f"{name}@[{plan.offsets[name]}, {plan.offsets[name] + problem.buffer(name).size})"

    rows = []
    for name in plan.order:
        step = problem.steps[problem.step_index[name]]
        reads = " ".join(map(place, dict.fromkeys(step.reads)))
        writes = " ".join(map(place, step.writes))
        begin = plan.scratch.get(name, 0)
        scratch = f" + scratch@[{begin}, {begin + step.scratch})" if step.scratch else ""
        rows.append((name, f"{reads} -> {writes}{scratch}".strip()))
    width = max((len(name) for name, _ in rows), default=0)
    return "\n".join(f"{name:{width}}  {text}" for name, text in rows)
