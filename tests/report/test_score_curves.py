"""The picture of scores shows every curve, the level and the marks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from lichen.report import score_curves


def test_curves_level_and_marks(tmp_path: Path, record: Callable[[ModuleType], list[Any]]) -> None:
    """Each way has a panel with a curve for each learner, the line across, and its own marks."""
    panels = record(score_curves)
    ways = {"one": {"a": [(50, 0.2), (100, 0.9)], "b": [(50, 0.3), (100, 0.7)]}, "two": {"a": [(50, 0.5), (100, 0.6)]}}
    marks = {"one": {0: "cats", 70: "dogs"}}
    score_curves.draw_score_curves(tmp_path / "f1.png", "title", ("steps", "F1"), ways, ("offline", 0.95), marks)
    for panel, (way, curves) in zip(panels, ways.items(), strict=True):
        level, *lines = panel.lines
        assert set(level.get_ydata()) == {0.95}
        for line, curve in zip(lines[: len(curves)], curves.values(), strict=True):
            np.testing.assert_array_equal(line.get_xydata(), curve)
        began = marks.get(way, {})
        assert [line.get_xdata()[0] for line in lines[len(curves) :]] == list(began)
        assert [text.get_text().strip() for text in panel.texts] == list(began.values())
        assert panel.get_ylabel() == "F1" and panel.get_title(loc="left") == way
    assert [t.get_text() for t in panels[0].get_legend().texts] == ["offline: 0.950", "a: 0.900", "b: 0.700"]
    assert panels[1].get_xlabel() == "steps"
    assert (tmp_path / "f1.png").stat().st_size > 5_000
