"""What `learn` costs beside `infer`, as verbs show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from lichen.cli.output import print_table

if TYPE_CHECKING:
    from lichen.cost import FunctionCost


def costs_json(costs: Sequence[FunctionCost]) -> dict[str, Any]:
    """By the name of the function; empty for a model that only infers."""
    return {cost.name: {key: value for key, value in asdict(cost).items() if key != "name"} for cost in costs}


def print_costs(costs: Sequence[FunctionCost]) -> None:
    """A table, for a model that learns."""
    if not costs:
        return
    columns = ["function", "MACs", "arena, bytes", "state, bytes", "flash, bytes", "instructions", "cycles"]
    rows = [[c.name, c.macs, c.arena, c.state, c.flash, c.instructions, c.cycles] for c in costs]
    are = f"cycles {costs[0].cycles_are}" if costs[0].cycles_are else "cycles unknown"
    print_table(f"one call (instructions emulated, {are}); of state and flash what learning adds", columns, rows)
