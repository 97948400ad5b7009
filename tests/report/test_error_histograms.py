"""The histograms hold every error, each panel its own, and the threshold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from lichen.report import error_histograms


def test_shares_add_up(tmp_path: Path, record: Callable[[ModuleType], list[Any]]) -> None:
    """Bars of a kind add up to 100 % and lie on the right side of the threshold; axes and panels are labelled."""
    panels = record(error_histograms)
    low, high = np.geomspace(0.1, 1, 30), np.geomspace(5, 90, 70)
    moments = {"before": {"good": high, "bad": low}, "after": {"good": low, "bad": high}}
    error_histograms.draw_error_histograms(tmp_path / "errors.png", "title", "error, m²", moments, threshold=2.0)
    for panel, (moment, kinds) in zip(panels, moments.items(), strict=True):
        assert panel.get_title(loc="left") == moment and panel.get_ylabel() == "windows, %"
        for bars, errors in zip(panel.containers, kinds.values(), strict=True):
            assert sum(bar.get_height() for bar in bars) == pytest.approx(100)
            full = [bar.get_x() + bar.get_width() / 2 for bar in bars if bar.get_height()]
            assert (np.array(full) > 2).all() == (errors.min() > 2)
        (line,) = panel.lines
        assert line.get_xdata()[0] == 2.0
    assert panels[1].get_xscale() == "log" and panels[1].get_xlabel() == "error, m²"
    assert [text.get_text() for text in panels[0].get_legend().texts] == ["good (70)", "bad (30)", "threshold"]
    assert (tmp_path / "errors.png").stat().st_size > 5_000
