"""The arena over time in letters."""

from __future__ import annotations

import numpy as np

from lichen.report.chart import chart
from lichen.report.occupancy import Band, Occupancy, Span

OCCUPANCY = Occupancy(
    spans=(Span("a", 0, 1, False), Span("b", 1, 3, True)),
    bands=(
        Band("x", np.array([0.0, 1.0, 2.0]), np.array([0, 0]), np.array([800, 400])),
        Band("y", np.array([1.0, 4.0]), np.array([300]), np.array([401])),
    ),
    peak=800,
)


def test_chart_by_hand() -> None:
    """Two lines of eighths over an axis that is double where a region is streamed; what overlaps is counted once."""
    assert list(chart(OCCUPANCY, top=1600, width=8, height=2)) == [
        "1,600 │",
        "      │██▅▅▂▂▂▂",
        "    0 └──══════",
    ]


def test_whatever_is_there_is_seen() -> None:
    """A byte of a million still has its mark, and a full column is full."""
    lines = list(chart(OCCUPANCY, top=1_000_000, width=4, height=1))
    assert lines[0] == "1,000,000 │▁▁▁▁"
    assert next(chart(OCCUPANCY, top=800, width=4, height=1)) == "800 │█▅▂▂"
