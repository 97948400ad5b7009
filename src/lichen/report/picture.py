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

FORMATS = (".png", ".svg")

_INCHES = (7.0, 3.6)  # of one panel
_DOTS_PER_INCH = 150


def require_matplotlib() -> None:
    """Raises `MissingToolError` where no picture can be drawn; call it before long work whose end is one."""
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingToolError(
            "pictures need the package matplotlib, which is not installed: pip install 'lichen[report]'"
        )


def require_format(path: Path) -> None:
    """Raises `MissingToolError` where no picture can be drawn, and `InputError` where `path` is not named like one that can."""
    require_matplotlib()
    if path.suffix not in FORMATS:
        raise InputError(f"cannot write {path}: pictures end in {' or '.join(FORMATS)}")


@contextmanager
def picture(path: Path, title: str, heights: Sequence[float] = (1.0,), columns: int = 1) -> Iterator[list[Axes]]:
    """Panels, row by row, to draw on; at the end of the block they are written to `path`, as PNG or SVG after its suffix.

    `heights` are those of the rows in units of a whole panel, which is 7 by 3.6 inches. Panels below each other share the horizontal
    axis, those of `columns` side by side the vertical one. The block gives each panel labels with units. Folders are made as needed. Raises
    `MissingToolError` without matplotlib and `InputError` where `path` cannot be written or has another suffix; nothing half-drawn is
    left behind.
    """
    require_format(path)
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_INCHES[0] * columns, _INCHES[1] * sum(heights)), layout="constrained")
    canvas = FigureCanvasAgg(figure)  # no window, no display
    grid = figure.subplots(
        len(heights), columns, sharex="col", sharey="row", squeeze=False, height_ratios=list(heights)
    )
    panels: list[Axes] = list(grid.flat)
    for panel in panels:
        panel.set_prop_cycle(color=COLOURS)
        panel.grid(True, color="#dddddd", linewidth=0.8)
        panel.set_axisbelow(True)
        panel.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title, fontsize="large", x=0.02, ha="left")
    yield panels
    drawn = io.BytesIO()
    # The same picture is the same bytes: no date, and names that do not depend on chance.
    with rc_context({"svg.hashsalt": "lichen"}):
        canvas.print_figure(
            drawn, dpi=_DOTS_PER_INCH, format=path.suffix[1:], metadata={"Date": None} if path.suffix == ".svg" else {}
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(drawn.getvalue())
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error
