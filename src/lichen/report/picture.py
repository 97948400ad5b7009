"""What all pictures share: their size, their style, and how they are written."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lichen.errors import InputError, MissingToolError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
"""Okabe and Ito's colours, which people who do not see all colours can tell apart."""

_INCHES = (7.0, 3.6)  # of one panel
_DOTS_PER_INCH = 150


def require_matplotlib() -> None:
    """Raises `MissingToolError` where no picture can be drawn; call it before long work whose end is one."""
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingToolError(
            "pictures need the package matplotlib, which is not installed: pip install 'lichen[report]'"
        )


@contextmanager
def picture(path: Path, title: str, heights: Sequence[float] = (1.0,)) -> Iterator[list[Axes]]:
    """Panels, one below the other, to draw on; at the end of the block they are written to `path` as PNG.

    `heights` are those of the panels in units of a whole one, which is 7 by 3.6 inches; all share the horizontal axis. The block gives
    each panel labels with units. Folders are made as needed. Raises `MissingToolError` without matplotlib and `InputError` where `path` cannot be
    written; nothing half-drawn is left behind.
    """
    require_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_INCHES[0], _INCHES[1] * sum(heights)), layout="constrained")
    canvas = FigureCanvasAgg(figure)  # no window, no display
    grid = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=list(heights))
    panels: list[Axes] = [row[0] for row in grid]
    for panel in panels:
        panel.set_prop_cycle(color=COLOURS)
        panel.grid(True, color="#dddddd", linewidth=0.8)
        panel.set_axisbelow(True)
        panel.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title, fontsize="large", x=0.02, ha="left")
    yield panels
    drawn = io.BytesIO()
    canvas.print_figure(drawn, dpi=_DOTS_PER_INCH, format="png")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(drawn.getvalue())
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error
