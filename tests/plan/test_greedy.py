"""Placement by rule of thumb."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.plan import Problem
from lichen.plan.greedy import place
from lichen.plan.layout import Item, Layout, layout
from lichen.plan.lead import Clearance


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_placements_keep_every_clearance(
    random_problems: Callable[..., st.SearchStrategy[Problem]], data: st.DataObject
) -> None:
    """Every pair lies as it may, every start is aligned and not negative, and the peak is the highest end."""
    problem = data.draw(random_problems())
    laid_out = layout(problem, range(len(problem.steps)))
    placement = place(laid_out, 0)
    for (i, j), allowed in laid_out.clearances.items():
        assert allowed.allows(placement.starts[j] - placement.starts[i])
    for item, start in zip(laid_out.items, placement.starts, strict=True):
        assert start >= 0 and start % item.alignment == 0
    assert placement.peak == max(
        start + item.size for item, start in zip(laid_out.items, placement.starts, strict=True)
    )


@pytest.mark.parametrize("lead", [3, 0, -2])
@pytest.mark.parametrize("alignments", [(1, 1), (4, 2), (2, 8)])
def test_a_chain_drifts_by_its_leads(lead: int, alignments: tuple[int, int]) -> None:
    """Results below their operands cost their lead, not their size, whatever the alignments."""
    items = tuple(Item(f"b{k}", 64, alignments[k % 2], k, k + 1) for k in range(6))
    layout = Layout(items, {(k, k + 1): Clearance(-lead, 64) for k in range(5)})
    grid = max(alignments)
    step = -(-max(lead, 0) // min(alignments)) * min(alignments)
    assert place(layout, 64).peak <= 64 + 5 * (step + grid - min(alignments))
