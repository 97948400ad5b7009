from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.targets.profile_pairs import OpPair, pair, total
from lichen.targets.profiler import OpProfile, Profile


def profile(*ops: tuple[str, str, int, int | None]) -> Profile:
    """A profile of operators `(name, kind, instructions, cycles)`."""
    return Profile(tuple(OpProfile(name, kind, 100, n, c) for name, kind, n, c in ops), "modelled")


def test_operators_are_matched_by_name_and_kind() -> None:
    """Order is that of this build; a region called after its last operator is not that operator; what only the other has comes last."""
    this = profile(("a", "conv2d", 30, 60), ("c", "add", 5, 6), ("b", "conv2d", 10, 10))
    against = profile(("b", "conv2d", 40, 20), ("a", "conv2d", 20, 30), ("c", "stream", 7, 7))
    found = pair(this, against)
    assert [(both.op.name, both.op.kind) for both in found] == [
        ("a", "conv2d"),
        ("c", "add"),
        ("b", "conv2d"),
        ("c", "stream"),
    ]
    assert [both.instructions for both in found] == [10, None, -30, None]
    assert [both.cycles for both in found] == [30, None, -10, None]
    assert [both.instructions_ratio for both in found] == [1.5, None, 0.25, None]
    assert [both.cycles_ratio for both in found] == [2.0, None, 0.5, None]
    assert (found[1].against, found[3].this) == (None, None)


def test_unknown_cycles_have_no_difference() -> None:
    """A core without a cycle model on one side is no reason to invent a number, and nothing is divided by zero."""
    both = OpPair(OpProfile("a", "add", 0, 4, None), OpProfile("a", "add", 0, 0, 3))
    assert (both.instructions, both.cycles) == (4, None)
    assert (both.instructions_ratio, both.cycles_ratio) == (None, None)


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.integers(1, 99)), unique_by=lambda op: op[0]))
def test_a_build_beside_itself_does_not_differ(ops: list[tuple[str, int]]) -> None:
    """All differences are zero, all ratios one, and totals are those of the operators."""
    this = profile(*((name, "conv2d", n, 2 * n) for name, n in ops))
    assert all((both.instructions, both.cycles, both.cycles_ratio) == (0, 0, 1.0) for both in pair(this, this))
    assert total(this, this).instructions == 0
    assert sum(this.share(op) for op in this.ops) == pytest.approx(1.0 if ops else 0.0)
