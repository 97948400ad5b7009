"""What Lichen's kernels are to reach on the Cortex-M4 and on the Uno, and whether they do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from recorded import RECORDED

_CORTEX_M4, _UNO = "mps2-an386", "uno"


@dataclass(frozen=True)
class Figures:
    """Of one build of one model; `None` where nothing is known."""

    code: int | None
    instructions: int | None
    cycles: int | None


@dataclass(frozen=True)
class Goal:
    """A figure as measured and the most it may be: `must`, and better `goal`."""

    model: str
    what: str
    measured: int
    must: int
    goal: int | None = None

    @property
    def met(self) -> str:
        """`goal`, `must` or `no`."""
        if self.measured <= (self.must if self.goal is None else self.goal):
            return "goal" if self.goal is not None else "yes"
        return "must" if self.measured <= self.must else "no"


_INSTRUCTIONS = {
    "resnet8_int8": (18_400_000, 12_000_000),
    "vww_96_int8": (9_000_000, 7_000_000),
    "mcunet_vww1": (24_000_000, 17_000_000),
}
_MUST_OF_PEER, _GOAL_OF_PEER = 0.75, 0.6  # of the cycles of bakenn with CMSIS-NN
_CODE = {"speed": 40_000, "size": 12_000}
_DENSE, _DENSE_MACS, _CYCLES_PER_MAC = "dense_64_32_10", 64 * 32 + 32 * 10, (16, 12)


def goals(board: str, model: str, builds: dict[str, Figures], peer_cycles: int | None) -> Iterator[Goal]:
    """The goals of `model`, given Lichen's builds by `--optimize` and the cycles of bakenn's fastest build."""
    speed, size = builds.get("speed"), builds.get("size")
    if (board, model) == (_UNO, _DENSE) and speed and speed.cycles:
        limits = (_DENSE_MACS * cycles for cycles in _CYCLES_PER_MAC)
        yield Goal(model, "cycles on the Uno, speed (16 and 12 a MAC)", speed.cycles, *limits)
    if board != _CORTEX_M4 or model not in _INSTRUCTIONS:
        return
    if speed and speed.instructions:
        yield Goal(model, "instructions, speed", speed.instructions, *_INSTRUCTIONS[model])
    if speed and speed.cycles and peer_cycles:
        limits = (int(share * peer_cycles) for share in (_MUST_OF_PEER, _GOAL_OF_PEER))
        yield Goal(model, "modelled cycles, speed (0.75 and 0.6 of bakenn's)", speed.cycles, *limits)
    for name, build in (("speed", speed), ("size", size)):
        if build and build.code:
            yield Goal(model, f"code bytes, {name}", build.code, _CODE[name])
    slowest = RECORDED[model].smallest_instructions
    if size and size.instructions and slowest:
        yield Goal(model, "instructions, size (TFLM's smallest build)", size.instructions, slowest)
