"""The picture of a profile has a bar for each operator of each build, with labels that tell what it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from lichen.report import profile as report
from lichen.report.profile import draw_profile
from lichen.targets.profiler import OpProfile, Profile


def build(*ops: tuple[str, str, int, int, int | None], known: bool = True) -> Profile:
    """A profile of operators `(name, kind, macs, instructions, cycles)`."""
    return Profile(tuple(OpProfile(*op) for op in ops), "modelled" if known else None)


BEFORE = build(("y", "conv2d", 5000, 30, 40), ("z", "add", 0, 10, 20))


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_one_build(tmp_path: Path, record: Callable[[ModuleType], list[Any]], suffix: str) -> None:
    """Bars are as long as the figures, from the first operator down, with MACs and shares; the same bytes again."""
    panels = record(report)
    draw_profile(tmp_path / f"a{suffix}", "title", {"model": BEFORE})
    instructions, cycles = panels
    assert [bar.get_width() for bar in instructions.patches] == [30, 10]
    assert [bar.get_width() for bar in cycles.patches] == [40, 20]
    assert instructions.patches[0].get_y() < instructions.patches[1].get_y()
    assert instructions.get_ylim()[0] > instructions.get_ylim()[1]  # the first stands on top
    assert [label.get_text() for label in instructions.get_yticklabels()] == ["y, conv2d\n5,000 MACs", "z, add"]
    assert [text.get_text() for text in instructions.texts] == ["75.0%", "25.0%"]
    assert [text.get_text() for text in cycles.texts] == ["66.7%", "33.3%"]
    assert instructions.get_xlabel() == "instructions (emulated)" and cycles.get_xlabel() == "cycles (modelled)"
    draw_profile(tmp_path / f"b{suffix}", "title", {"model": BEFORE})
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def test_two_builds(tmp_path: Path, record: Callable[[ModuleType], list[Any]]) -> None:
    """Both are drawn to one scale beside each other; what only one has has one bar; the legend has the totals."""
    panels = record(report)
    after = build(("y", "conv2d", 5000, 15, 18), ("w", "softmax", 0, 5, 6))
    draw_profile(tmp_path / "a.png", "title", {"before": BEFORE, "after": after})
    instructions, cycles = panels
    assert [label.get_text().partition(",")[0] for label in instructions.get_yticklabels()] == ["y", "z", "w"]
    before_bars, after_bars = instructions.containers[:2]
    assert [bar.get_width() for bar in before_bars] == [30, 10] and [bar.get_width() for bar in after_bars] == [15, 5]
    assert [round(bar.get_y() + bar.get_height()) for bar in after_bars] == [0, 2]
    legend = [text.get_text() for text in cycles.get_legend().get_texts()]
    assert legend == ["before: 60 cycles", "after: 24 cycles"]


def test_a_core_without_a_cycle_model_has_instructions_alone(
    tmp_path: Path, record: Callable[[ModuleType], list[Any]]
) -> None:
    """No empty panel, and no figure that is not known."""
    panels = record(report)
    draw_profile(tmp_path / "a.png", "title", {"model": build(("y", "add", 0, 3, None), known=False)})
    assert [panel.get_xlabel() for panel in panels] == ["instructions (emulated)"]
