"""The picture of two losses shows both and their difference."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from lichen.report import loss_curves


def test_curves_and_difference(tmp_path: Path, record: Callable[[ModuleType], list[Any]]) -> None:
    """Both curves over epochs from 1, a legend, labels, and the relative difference with a gap where there is none."""
    panels = record(loss_curves)
    loss_curves.draw_loss_curves(
        tmp_path / "loss.png", "title", "MSE, MW²", {"a": [2.0, 1.0, 0.5], "b": [2.0, 1.25, 0.4]}
    )
    losses, apart = panels
    assert (
        [line.get_label() for line in losses.lines] == ["a", "b"] == [t.get_text() for t in losses.get_legend().texts]
    )
    np.testing.assert_array_equal(losses.lines[0].get_xydata(), [[1, 2], [2, 1], [3, 0.5]])
    np.testing.assert_array_equal(losses.lines[1].get_ydata(), [2, 1.25, 0.4])
    np.testing.assert_allclose(apart.lines[0].get_ydata(), [np.nan, 0.2, 0.25])
    assert losses.get_ylabel() == "MSE, MW²"
    assert apart.get_ylabel() == "relative difference" and apart.get_xlabel() == "epoch"
    assert (tmp_path / "loss.png").stat().st_size > 5_000
