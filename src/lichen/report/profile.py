"""Where the time goes: a bar for each operator, of one build or of several side by side."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lichen.report.picture import COLOURS, picture
from lichen.targets.profiler import OpProfile, Profile

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BAR = 0.055  # height of one bar, in panels
_GROUP = 0.8  # of the room of an operator, what its bars take
_LONGEST_NAME = 28


def draw_profile(path: Path, title: str, profiles: Mapping[str, Profile]) -> None:
    """Writes horizontal bars of the instructions of each operator, and beside them of its cycles where these are known.

    `profiles` are builds by name; an operator (one name and kind) has a bar for each build that has it. Its label tells its
    multiplications, and each bar its share of its build. Raises what `picture` raises.
    """
    operators = list({(op.name, op.kind): op for profile in profiles.values() for op in profile.ops}.values())
    with_cycles = all(profile.cycles_are for profile in profiles.values())
    height = max(0.5, 0.25 + _BAR * len(operators) * (len(profiles) + 0.5))
    with picture(path, title, (height,), columns=2 if with_cycles else 1) as panels:
        _draw(panels[0], "instructions (emulated)", operators, profiles, "instructions")
        if with_cycles:
            are = " and ".join(dict.fromkeys(profile.cycle_words for profile in profiles.values()))
            _draw(panels[1], f"cycles ({are})", operators, profiles, "cycles")
        panels[0].set_yticks(range(len(operators)), [_label(op) for op in operators], fontsize="small")
        panels[0].set_ylim(len(operators) - 0.5, -0.5)


def _draw(panel: Axes, what: str, operators: list[OpProfile], profiles: Mapping[str, Profile], figure: str) -> None:
    thickness = _GROUP / len(profiles)
    for build, (name, profile) in enumerate(profiles.items()):
        found = {(op.name, op.kind): getattr(op, figure) for op in profile.ops}
        total = max(getattr(profile.total, figure), 1)
        places = [(place, found[op.name, op.kind]) for place, op in enumerate(operators) if (op.name, op.kind) in found]
        centres = [place + (build - (len(profiles) - 1) / 2) * thickness for place, _ in places]
        values = [value for _, value in places]
        bars = panel.barh(
            centres, values, thickness, color=COLOURS[build % len(COLOURS)], label=f"{name}: {total:,} {figure}"
        )
        panel.bar_label(bars, [f"{value / total:.1%}" for value in values], padding=2, fontsize=6)
    panel.set_xlabel(what)
    panel.set_xlim(right=panel.get_xlim()[1] * 1.08)  # room for the last label
    panel.locator_params(axis="x", nbins=6)
    panel.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    panel.grid(False, axis="y")
    panel.legend(frameon=False, loc="best", fontsize="small")


def _label(op: OpProfile) -> str:
    name = op.name if len(op.name) <= _LONGEST_NAME else f"{op.name[: _LONGEST_NAME - 1]}…"
    return f"{name}, {op.kind}" + (f"\n{op.macs:,} MACs" if op.macs else "")
