"""The picture of a compression has every stage where it belongs, and how far its trials are apart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from lichen.report import stage_points
from lichen.report.stage_points import StagePoint


def test_means_and_ranges(tmp_path: Path, record: Callable[[ModuleType], list[Any]]) -> None:
    """A point at mean bytes and mean accuracy, a bar from least to greatest accuracy, a line through the stages and one across."""
    panels = record(stage_points)
    trials = [
        [StagePoint("float32", 0.98, 4000), StagePoint("coded", 0.96, 90)],
        [StagePoint("float32", 0.96, 4000), StagePoint("coded", 0.99, 110)],
    ]
    stage_points.draw_stage_points(tmp_path / "c.png", "title", {"a net": trials, "another": trials[:1]})
    panel = panels[0]
    path = next(line for line in panel.lines if len(line.get_xdata()) == 2 and line.get_color() == "#bbbbbb")
    np.testing.assert_allclose(path.get_xydata(), [[4000, 0.97], [100, 0.975]])
    bars = [container[2][0].get_segments()[0][:, 1] for container in panel.containers]
    np.testing.assert_allclose(bars, [[0.96, 0.98], [0.96, 0.99]])
    (across,) = (line for line in panel.lines if line.get_linestyle() == ":")
    assert list(across.get_ydata()) == pytest.approx([0.97, 0.97])
    names = [text.get_text() for text in panel.get_legend().texts]
    assert names == ["float32: 97.0%, 4,000 bytes", "coded: 97.5%, 100 bytes"]
    assert panel.get_title(loc="left") == "a net" and len(panels) == 2
    assert (tmp_path / "c.png").stat().st_size > 5_000
