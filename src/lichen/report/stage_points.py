"""What each stage of a compression does to accuracy and bytes, over several seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lichen.report.picture import picture, require_matplotlib


@dataclass(frozen=True)
class StagePoint:
    """A network after a stage: accuracy from 0 to 1 on the test part, bytes of its weights and all that belongs to them."""

    name: str
    accuracy: float
    bytes: int


def draw_stage_points(path: Path, title: str, panels: Mapping[str, Sequence[Sequence[StagePoint]]]) -> None:
    """Writes a picture with a panel for each network: trials with the same stages each, in their order.

    A stage is a point at the mean bytes and the mean accuracy of its trials, with a bar from the least to the greatest accuracy. Stages that
    do not change the bytes stand above each other. The line across is the mean accuracy of the first stage. Raises what `picture` raises.
    """
    require_matplotlib()
    from matplotlib.ticker import LogLocator, NullFormatter, PercentFormatter, StrMethodFormatter

    with picture(path, title, [0.85] * len(panels)) as axes:
        for panel, (name, trials) in zip(axes, panels.items(), strict=True):
            means = []
            for points in zip(*trials, strict=True):
                accuracies = [point.accuracy for point in points]
                mean = sum(accuracies) / len(points)
                size = sum(point.bytes for point in points) / len(points)
                means.append((size, mean))
                bar = [[mean - min(accuracies)], [max(accuracies) - mean]]
                label = f"{points[0].name}: {mean:.1%}, {size:,.0f} bytes"
                panel.errorbar([size], [mean], bar, fmt="o", capsize=3, label=label)
            panel.plot(*zip(*means, strict=True), color="#bbbbbb", linewidth=1, zorder=0)
            panel.axhline(means[0][1], color="#333333", linestyle=":", linewidth=1)
            panel.set_xscale("log")
            panel.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
            panel.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
            panel.xaxis.set_minor_formatter(NullFormatter())
            panel.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=2))
            panel.set_ylabel("accuracy on the test part")
            panel.set_title(name, loc="left", fontsize="medium")
            panel.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
        axes[-1].set_xlabel("bytes of weights, codes, biases and multipliers")
