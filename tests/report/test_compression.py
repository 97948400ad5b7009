"""The picture of a compression shows each stage, and what all are compared with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from lichen.report import compression
from lichen.report.compression import StagePoint, draw_compression


def test_points_and_references(tmp_path: Path, record: Callable[[ModuleType], list[Any]]) -> None:
    """A point for each stage over weights and over flash where it is known, lines through float32 and int8, which is a branch of its own."""
    panels = record(compression)
    stages = [
        StagePoint("float32", 0.9, 4000, None),
        StagePoint("int8", 0.89, 1000, 9000),
        StagePoint("prune", 0.88, 2000, 8000),
        StagePoint("quantise", 0.87, 500, 7500),
    ]
    draw_compression(tmp_path / "c.png", "title", stages)
    weights, flash = panels
    points = {line.get_label(): line.get_xydata().tolist() for line in weights.lines if line.get_marker() == "o"}
    assert points == {s.name: [[s.weights, s.accuracy]] for s in stages}
    assert [t.get_text() for t in weights.get_legend().texts] == [s.name for s in stages]
    path = weights.lines[0].get_xydata().tolist()
    assert path == [[4000, 0.9], [2000, 0.88], [500, 0.87]]
    dotted = [line for line in weights.lines if line.get_linestyle() == ":"]
    assert len(dotted) == 4
    assert [line.get_label() for line in flash.lines if line.get_marker() == "o"] == ["int8", "prune", "quantise"]
    assert weights.get_xlabel() == "weights, bytes" and flash.get_xlabel() == "flash, bytes"
    assert (tmp_path / "c.png").stat().st_size > 5_000
