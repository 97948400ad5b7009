"""The picture of the arena shows every buffer, the peaks and the front, to one scale."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from graphs import deep_module
from lichen.compiler import prepare
from lichen.ir.kernel import PLAIN
from lichen.plan.schedule import front
from lichen.report import arena
from lichen.report.arena import Point, draw_arena
from lichen.report.occupancy import occupancy_of


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_before_after_and_front(tmp_path: Path, record: Callable[[ModuleType], list[Any]], suffix: str) -> None:
    """A shape for each buffer at its bytes, a line at each peak, labelled steps, and the points of the front; the same bytes again."""
    panels = record(arena)
    module = prepare(deep_module())
    schedules = front(module.infer, PLAIN)
    arenas = {
        name: occupancy_of(module.infer, PLAIN, s) for name, s in (("before", schedules[0]), ("after", schedules[-1]))
    }
    points = [Point(100, 2300), Point(103, 900)]
    draw_arena(tmp_path / f"a{suffix}", "title", arenas, points)
    before, after, trade = panels
    for panel, occupancy, title in ((before, arenas["before"], "before"), (after, arenas["after"], "after")):
        assert panel.get_title(loc="left") == title
        assert sorted(shape.get_label() for shape in panel.collections) == ["between", "x", "y"]
        tops = {shape.get_label(): shape.get_paths()[0].vertices[:, 1].max() for shape in panel.collections}
        assert tops == {band.name: band.high.max() for band in occupancy.bands}
        (peak,) = panel.lines
        assert set(peak.get_ydata()) == {occupancy.peak}
        assert f"{occupancy.peak:,} bytes" in [text.get_text() for text in panel.texts]
    assert [label.get_text() for label in before.get_xticklabels()] == ["between", "y"]
    assert [label.get_text() for label in after.get_xticklabels()] == ["between to\ny"]
    assert before.get_ylim() == after.get_ylim() == trade.get_ylim()
    assert [[round(x, 6), y] for x, y in trade.lines[0].get_xydata()] == [[0, 2300], [3, 900]]
    draw_arena(tmp_path / f"b{suffix}", "title", arenas, points)
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()
