"""The arena over time: a shape for each buffer, ring and scratch, at its bytes while it holds something."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lichen.report.occupancy import Band, Occupancy
from lichen.report.picture import COLOURS, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NAMED_FROM = 0.05  # of the picture's height: a lower shape has no room for its name
_CLOSE_SPANS = 30  # more steps than this have their names in small letters
_RING, _SCRATCH = "///", "xxx"


@dataclass(frozen=True)
class Point:
    """A schedule of the front: multiplications and bytes, both planned."""

    macs: int
    arena: int


def draw_arena(path: Path, title: str, arenas: Mapping[str, Occupancy], front: Sequence[Point]) -> None:
    """Writes `arenas`, called by their names, side by side to one scale of bytes, and beside them the front they come from.

    The horizontal axis of an arena has the steps in their order; a streamed region is shaded and has as much room as the layers it
    replaces. That of the front has the multiplications beyond those of its first point. Raises what `picture` raises.
    """
    top = max(*(occupancy.peak for occupancy in arenas.values()), *(point.arena for point in front))
    with picture(path, title, (1.6,), columns=len(arenas) + 1) as panels:
        for panel, (name, occupancy) in zip(panels, arenas.items(), strict=False):
            _draw_arena(panel, name, occupancy, top)
        panels[0].set_ylabel("arena, bytes (planned)")
        _draw_front(panels[-1], front)


def _draw_front(panel: Axes, front: Sequence[Point]) -> None:
    more = [100 * (point.macs / front[0].macs - 1) if front[0].macs else 0.0 for point in front]
    panel.plot(more, [point.arena for point in front], "o-", markersize=5)
    panel.set_xlim(-0.05 * max(*more, 1.0), 1.05 * max(*more, 1.0))
    panel.set_xlabel("multiplications more than layer by layer, %")
    panel.set_title("all schedules worth having", fontsize="medium", loc="left")


def _draw_arena(panel: Axes, name: str, occupancy: Occupancy, top: int) -> None:
    for span in occupancy.spans:
        if span.is_streamed:
            panel.axvspan(span.start, span.start + span.width, color="#f2f2f2", zorder=0)
    for index, band in enumerate(occupancy.bands):
        colour = COLOURS[index % len(COLOURS)]
        panel.fill_between(
            band.edges,
            np.append(band.low, band.low[-1]),
            np.append(band.high, band.high[-1]),
            step="post",
            facecolor=colour,
            edgecolor="black",
            linewidth=0.4,
            alpha=0.65,
            hatch=_RING if band.is_ring else _SCRATCH if band.is_scratch else None,
            label=band.name,
        )
        _name(panel, band, occupancy.end, top)
    panel.axhline(occupancy.peak, color="black", linestyle="--", linewidth=1)
    panel.annotate(
        f"{occupancy.peak:,} bytes", (occupancy.end, occupancy.peak), ha="right", va="bottom", fontsize="small"
    )
    panel.set_title(name, fontsize="medium", loc="left")
    panel.set_xticks(
        [span.start + span.width / 2 for span in occupancy.spans],
        [span.label for span in occupancy.spans],
        rotation=90,
        fontsize=8 if len(occupancy.spans) <= _CLOSE_SPANS else 4.5,
    )
    panel.set_xlim(0, occupancy.end)
    panel.set_ylim(0, 1.08 * top)
    panel.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    panel.grid(False, axis="x")


def _name(panel: Axes, band: Band, end: int, top: int) -> None:
    """Writes the name into the band where it is highest, if there is room."""
    heights = band.high - band.low
    highest = np.flatnonzero(heights == heights.max())
    left, right = band.edges[highest[0]], band.edges[highest[-1] + 1]
    letters = len(band.name) * 0.009 * end
    if heights.max() >= _NAMED_FROM * top and right - left >= letters:
        i = highest[0]
        panel.text(
            (left + right) / 2, (band.low[i] + band.high[i]) / 2, band.name, ha="center", va="center", fontsize=7
        )
