"""Two losses over the epochs, and how far they are apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from lichen.report.picture import picture, require_matplotlib


def draw_loss_curves(path: Path, title: str, quantity: str, curves: Mapping[str, Sequence[float]]) -> None:
    """Writes the picture of two curves, called by their names, with a loss above zero for each epoch.

    `quantity` names the loss and its unit. Below stands the relative difference, the second curve being what it is measured by. Raises
    what `picture` raises.
    """
    require_matplotlib()
    from matplotlib.ticker import MaxNLocator

    (name, first), (other, second) = curves.items()
    epochs = np.arange(1, len(first) + 1)
    difference = np.abs(np.array(first) / np.array(second) - 1)
    with picture(path, title, (1.0, 0.6)) as (losses, apart):
        losses.plot(epochs, first, label=name, linewidth=2)
        losses.plot(epochs, second, "x", label=other)  # a line would hide the other one
        losses.set_ylim(bottom=0)
        losses.set_ylabel(quantity)
        losses.legend(frameon=False)
        apart.plot(epochs, np.where(difference > 0, difference, np.nan), color="#555555")  # a gap where they are equal
        apart.set_yscale("log")
        apart.set_ylabel("relative difference")
        apart.set_xlabel("epoch")
        apart.xaxis.set_major_locator(MaxNLocator(integer=True))
