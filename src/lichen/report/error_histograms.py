"""How the errors of normal and of faulty samples are spread, before and after something, beside a threshold."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lichen.report.picture import picture

_BINS = 60


def draw_error_histograms(
    path: Path,
    title: str,
    quantity: str,
    panels: Mapping[str, Mapping[str, NDArray[np.float64]]],
    threshold: float,
) -> None:
    """Writes a picture with a panel for each moment, in which each kind of sample has a histogram of its errors, all above zero.

    `panels` are errors by moment and by kind; `quantity` names them and their unit. Errors spread over decades, so the axis is
    logarithmic, and bins are equally wide on it. Raises what `picture` raises.
    """
    everything = np.concatenate([errors for kinds in panels.values() for errors in kinds.values()])
    bins = np.geomspace(everything.min() * 0.9, everything.max() * 1.1, _BINS + 1).tolist()
    with picture(path, title, [0.75] * len(panels)) as axes:
        for panel, (moment, kinds) in zip(axes, panels.items(), strict=True):
            for kind, errors in kinds.items():
                shares = np.full(len(errors), 100 / len(errors))
                panel.hist(errors, bins, weights=shares, alpha=0.7, label=f"{kind} ({len(errors)})")
            panel.axvline(threshold, color="#333333", linestyle="--", label="threshold")
            panel.set_xscale("log")
            panel.set_ylabel("windows, %")
            panel.set_title(moment, loc="left", fontsize="medium")
        axes[0].legend(frameon=False)
        axes[-1].xaxis.set_major_formatter("{x:g}")
        axes[-1].set_xlabel(quantity)
