"""Bytes in use over time, drawn in letters for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lichen.report.occupancy import Occupancy

_EIGHTHS = " ▁▂▃▄▅▆▇█"
_MOMENTS = 16  # looked at in each column


def chart(occupancy: Occupancy, top: int, width: int = 100, height: int = 8) -> Iterator[str]:
    """Lines of text: bytes in use from the first operation to the last, `top` bytes at the upper edge, `width` columns.

    Each column shows the most that is in use in its time. Under the axis stands what is streamed.
    """
    moments = (np.arange(width * _MOMENTS) + 0.5) * occupancy.end / (width * _MOMENTS)
    most = occupancy.bytes_in_use(moments).reshape(width, _MOMENTS).max(axis=1)
    eighths = np.ceil(most / max(top, 1) * 8 * height).astype(int)  # what is not nothing is seen
    margin = len(f"{top:,}")
    for line in reversed(range(height)):
        label = f"{top:,}" if line == height - 1 else ""
        yield f"{label:>{margin}} │" + "".join(_EIGHTHS[min(max(n - 8 * line, 0), 8)] for n in eighths).rstrip()
    yield f"{0:>{margin}} └" + "".join(_axis(occupancy, width))


def _axis(occupancy: Occupancy, width: int) -> list[str]:
    """The axis, doubled where a region is streamed."""
    axis = ["─"] * width
    for span in occupancy.spans:
        if span.is_streamed:
            first, last = (round(place * width / occupancy.end) for place in (span.start, span.start + span.width))
            axis[first:last] = "═" * (last - first)
    return axis
