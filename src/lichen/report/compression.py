"""Accuracy against bytes after each stage of a compression."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lichen.report.picture import COLOURS, picture, require_matplotlib


@dataclass(frozen=True)
class StagePoint:
    """A stage; accuracy from 0 to 1, `flash` is `None` where it is not known."""

    name: str
    accuracy: float
    weights: int
    flash: int | None


def draw_compression(path: Path, title: str, stages: Sequence[StagePoint]) -> None:
    """Writes the picture of accuracy against bytes of weights and against bytes of flash, a point for each stage in its order.

    The first two stages are what the others are compared with, the network in float32 and in plain int8: lines through their accuracies and bytes. Raises what
    `picture` raises.
    """
    require_matplotlib()
    from matplotlib.ticker import LogLocator, NullFormatter, PercentFormatter, StrMethodFormatter

    with picture(path, title, columns=2) as panels:
        for panel, quantity in zip(panels, ("weights", "flash"), strict=True):
            known = [
                (number, stage, stage.weights if quantity == "weights" else stage.flash)
                for number, stage in enumerate(stages)
            ]
            points = [(number, stage, size) for number, stage, size in known if size is not None]
            later = [(size, stage.accuracy) for number, stage, size in points if number != 1]  # int8 is a branch
            panel.plot([size for size, _ in later], [a for _, a in later], color="#bbbbbb", linewidth=1)
            for number, stage, size in points:
                colour = COLOURS[number % len(COLOURS)]
                if number < 2:
                    panel.axhline(stage.accuracy, color=colour, linestyle=":", linewidth=1)
                    panel.axvline(size, color=colour, linestyle=":", linewidth=1)
                panel.plot([size], [stage.accuracy], "o", color=colour, label=stage.name)
            panel.set_xscale("log")
            panel.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            panel.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
            panel.xaxis.set_minor_formatter(NullFormatter())
            panel.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=1))
            panel.set_xlabel(f"{quantity}, bytes")
        panels[0].set_ylabel("accuracy on the test part")
        panels[0].legend(frameon=False)
