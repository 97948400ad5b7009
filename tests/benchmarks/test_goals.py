from __future__ import annotations

import pytest

from goals import Figures, Goal, goals


@pytest.mark.parametrize(("measured", "met"), [(60, "goal"), (61, "must"), (75, "must"), (76, "no")])
def test_a_goal_is_met_up_to_its_limit(measured: int, met: str) -> None:
    """The better limit, the one that must be kept, or neither."""
    assert Goal("model", "cycles", measured, 75, 60).met == met


def test_what_has_one_limit_is_met_or_not() -> None:
    """There is no better than yes."""
    assert [Goal("model", "code", code, 12_000).met for code in (12_000, 12_001)] == ["yes", "no"]


def test_goals_follow_from_both_sides() -> None:
    """Limits of cycles are shares of the other's; what was not measured, or is on another board, has no goal."""
    builds = {"speed": Figures(39_000, 12_000_000, 25_000_000), "size": Figures(13_000, 41_000_000, None)}
    found = {goal.what: goal for goal in goals("mps2-an386", "resnet8_int8", builds, 40_000_000)}
    cycles = next(goal for what, goal in found.items() if "cycles" in what)
    assert (cycles.measured, cycles.must, cycles.goal, cycles.met) == (25_000_000, 30_000_000, 24_000_000, "must")
    assert [goal.met for goal in found.values()] == ["goal", "must", "yes", "no", "yes"]
    assert not any("cycles" in goal.what for goal in goals("mps2-an386", "resnet8_int8", builds, None))
    assert not list(goals("pico", "resnet8_int8", builds, 40_000_000))
    (uno,) = goals("uno", "dense_64_32_10", {"speed": Figures(None, None, 37_888)}, None)
    assert uno.met == "must"
