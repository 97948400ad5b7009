"""How far a result may reach into an operand that dies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.ir.accesses import Accesses, elementwise, whole
from lichen.plan import Buffer, Problem, Step
from lichen.plan.lead import Clearance, clearance, disjoint


def of(accesses: Accesses, operand: int, result: int, alignments: tuple[int, int] = (1, 1)) -> Clearance:
    first, second = Buffer("x", operand, alignments[0]), Buffer("y", result, alignments[1])
    return clearance(Step("s", ("x",) * len(accesses.reads), ("y",), accesses), first, second)


def spans(*rows: tuple[int, int]) -> np.ndarray:
    return np.array(rows, np.int64).reshape(-1, 2)


def test_elementwise_is_in_place() -> None:
    """An atomic elementwise kernel has lead 0."""
    assert of(elementwise(10, {0: 1}, 1), 10, 10).lead == 0


def test_interleaved_elementwise_leads_by_one_element() -> None:
    """Without atomicity a write may come before the read of its own access, so the result stays one element below."""
    assert of(replace(elementwise(10, {0: 4}, 4), atomic=False), 40, 40).lead == 4


def test_unknown_order_means_disjoint() -> None:
    """One access over everything lets nothing overlap."""
    assert of(whole({0: 7}, {0: 5}), 7, 5) == disjoint(Buffer("x", 7), Buffer("y", 5))


def test_shrinking_conv_may_start_above_its_operand() -> None:
    """Reading 4 bytes and writing 1 at a time, the result may even start inside the operand's first access, or later."""
    reads, writes = spans((0, 4), (4, 8), (8, 12)), spans((0, 1), (1, 2), (2, 3))
    assert of(Accesses({0: reads}, {0: writes}), 12, 3) == Clearance(-1, 12)
    assert of(Accesses({0: reads}, {0: writes}, atomic=True), 12, 3) == Clearance(3, 12)


def test_growing_kernel_leads_by_what_it_grows() -> None:
    """Writing 2 bytes for each byte read, the result starts lower by what it gains until the last byte is read."""
    assert of(elementwise(10, {0: 1}, 2), 10, 20).lead == 9


def test_descending_kernel_eats_from_above() -> None:
    """A kernel that walks downwards lets the result start above the operand."""
    up = elementwise(10, {0: 1}, 1)
    down = Accesses({0: up.reads[0][::-1]}, {0: up.writes[0][::-1]}, atomic=True)
    assert of(down, 10, 10) == Clearance(-10, 0)


def test_operand_used_twice_needs_both_uses() -> None:
    """Of two operands in the same buffer the later reads decide."""
    lagging = spans((0, 1), (0, 1), (0, 1), (3, 4))
    assert (
        of(Accesses({0: elementwise(4, {0: 1}, 1).reads[0], 1: lagging}, elementwise(4, {}, 1).writes, True), 4, 4).lead
        == 2
    )


def test_operand_not_read_any_more_gives_way() -> None:
    """An operand read before the first write leaves all its bytes to the result, in any position."""
    allowed = of(Accesses({0: spans((0, 9), (0, 0))}, {0: spans((0, 0), (0, 9))}), 9, 9)
    assert allowed.free and all(allowed.allows(d) for d in range(-12, 13))


def test_alignment_rounds_away_from_the_operand() -> None:
    """A distance between aligned buffers is a multiple of the smaller alignment, so the lead is rounded up to one."""
    accesses = Accesses({0: spans((0, 3), (3, 16))}, {0: spans((0, 5), (5, 8))})
    assert of(accesses, 16, 8).lead == 5
    assert of(accesses, 16, 8, (4, 8)).lead == 8


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_agrees_with_the_definition(
    random_problems: Callable[..., st.SearchStrategy[Problem]], data: st.DataObject
) -> None:
    """Every allowed distance is safe byte by byte, and the two half-lines are as wide as the definition makes them."""
    problem = data.draw(random_problems(most_steps=1, most_bytes=10))
    step = problem.steps[0]
    later = 1 if step.accesses.atomic else 0
    for operand in {*step.reads}:
        for result in step.writes:
            first, second = problem.buffer(operand), problem.buffer(result)
            allowed = clearance(step, first, second)
            grid = min(first.alignment, second.alignment)
            reads = [(k, *row) for rows in step.reads_of(operand) for k, row in enumerate(rows) if row[0] < row[1]]
            writes = [(k, *row) for k, row in enumerate(step.writes_of(result)) if row[0] < row[1]]
            wanted = [(r, w) for r in reads for w in writes if r[0] >= w[0] + later]
            for d in range(-second.size - 8, first.size + 9):
                if d % grid:
                    continue
                below = all(w[2] + d <= r[1] for r, w in wanted)
                above = all(w[1] + d >= r[2] for r, w in wanted)
                apart = d >= first.size or d <= -second.size
                assert allowed.allows(d) == (below or above or apart)
