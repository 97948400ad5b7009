"""How a score grows while something is taught, and what it is measured against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from lichen.report.picture import picture

Curve = Sequence[tuple[int, float]]
"""Steps, and the score from 0 to 1 after so many."""


def draw_score_curves(
    path: Path,
    title: str,
    labels: tuple[str, str],
    panels: Mapping[str, Mapping[str, Curve]],
    level: tuple[str, float],
    marks: Mapping[str, Mapping[int, str]] | None = None,
) -> None:
    """Writes a picture with a panel for each way of teaching, in which each learner has a curve.

    `panels` are curves by way and by learner; `labels` are those of steps and score; `level` is a name and a score that a line across
    shows. `marks` are, by way, steps at which something new begins and its name. Raises what `picture` raises.
    """
    with picture(path, title, [0.85] * len(panels)) as axes:
        for panel, (way, curves) in zip(axes, panels.items(), strict=True):
            panel.axhline(level[1], color="#333333", linestyle="--", label=f"{level[0]}: {level[1]:.3f}")
            for style, (learner, curve) in zip(("-", ":", "-."), curves.items(), strict=False):
                steps, scores = zip(*curve, strict=True)
                panel.plot(steps, scores, style, linewidth=2, label=f"{learner}: {scores[-1]:.3f}")
            for step, name in (marks or {}).get(way, {}).items():
                panel.axvline(step, color="#999999", linewidth=0.8)
                panel.annotate(f" {name}", (step, 0.02), fontsize="small", color="#666666")
            panel.set_ylim(0, 1.05)
            panel.set_ylabel(labels[1])
            panel.set_title(way, loc="left", fontsize="medium")
            panel.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 0.1))
        axes[-1].set_xlabel(labels[0])
