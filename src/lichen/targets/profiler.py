"""What an inference costs, as a whole and operator by operator.

Instructions are counted in QEMU and simavr. Cycles are emulated by simavr, modelled for the Cortex-M cores whose manual has a timing
table (`cycles_cortex_m`), and bounded from above for the Cortex-M7 (`cycles_cortex_m7`); `Profile.cycles_are` and
`InferenceCost.cycles_are` tell which.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lichen.errors import DeviceError
from lichen.ir.kernel import Core
from lichen.targets.blocks import Interval, count_instructions
from lichen.targets.cycles_cortex_m import CycleModel, cycle_table
from lichen.targets.cycles_cortex_m7 import SingleIssueBound
from lichen.targets.simavr import InferenceCount

CyclesAre = Literal["modelled", "modelled, single-issue bound", "emulated"]


@dataclass(frozen=True)
class InferenceCost:
    """Of one inference. `cycles` is `None` for a core without a model, and `cycles_are` with it."""

    instructions: int
    cycles: int | None
    cycles_are: CyclesAre | None


@dataclass(frozen=True)
class OpProfile:
    """Of one kernel call. `name` and `kind` are the operator's, `macs` its multiplications with accumulation."""

    name: str
    kind: str
    macs: int
    instructions: int
    cycles: int | None


@dataclass(frozen=True)
class Profile:
    """The kernel calls of an inference in their order, and the sum of them."""

    ops: tuple[OpProfile, ...]
    cycles_are: CyclesAre | None

    @property
    def cycle_words(self) -> str:
        """How people are told what the cycles are."""
        return self.cycles_are or "unknown for this core"

    def share(self, op: OpProfile) -> float:
        """The part of all instructions that is `op`'s, from 0 to 1."""
        return op.instructions / max(self.total.instructions, 1)

    @property
    def total(self) -> OpProfile:
        """All operators together."""
        cycles = [op.cycles for op in self.ops if op.cycles is not None]
        return OpProfile(
            name="total",
            kind="",
            macs=sum(op.macs for op in self.ops),
            instructions=sum(op.instructions for op in self.ops),
            cycles=sum(cycles) if self.cycles_are else None,
        )


def count_window(intervals: Sequence[Interval], elf: Path, core: Core) -> InferenceCost:
    """The cost of the inference that ran the blocks of `intervals`, code of the image `elf`, on `core`.

    Count in a build without marks between kernel calls: the calls of the marks are not counted, but the compiler works
    around them.
    """
    model = _cycle_model(elf, core)
    blocks = [block for interval in intervals for block in interval]
    cycles = model.total(blocks) if model else None
    return InferenceCost(count_instructions(blocks), cycles, model.are if model else None)


def profile_qemu(intervals: Sequence[Interval], elf: Path, core: Core, ops: Sequence[Mapping[str, Any]]) -> Profile:
    """The operators of a manifest with what they cost, from the blocks that ran in a build with `Mark.PROFILE`.

    Raises `DeviceError` if the firmware made other calls than the manifest says.
    """
    _require_calls(len(intervals) - 2, ops)
    model = _cycle_model(elf, core)
    return Profile(
        tuple(
            _op(op, count_instructions(blocks), model.total(blocks) if model else None)
            for op, blocks in zip(ops, intervals[1:-1], strict=True)
        ),
        model.are if model else None,
    )


def profile_simavr(count: InferenceCount, ops: Sequence[Mapping[str, Any]]) -> Profile:
    """The same from simavr's counts, also of a build with `Mark.PROFILE`. Raises `DeviceError` likewise."""
    _require_calls(len(count.ops), ops)
    return Profile(
        tuple(_op(op, taken.instructions, taken.cycles) for op, taken in zip(ops, count.ops, strict=True)), "emulated"
    )


def _op(op: Mapping[str, Any], instructions: int, cycles: int | None) -> OpProfile:
    return OpProfile(op["name"], op["kind"], op["macs"], instructions, cycles)


def _cycle_model(elf: Path, core: Core) -> CycleModel | SingleIssueBound | None:
    """What tells the cycles of `core`; `None` for the M33 and M55, for which nothing is published."""
    if core.name == "cortex-m7f":
        return SingleIssueBound(elf)
    table = cycle_table(core.name)
    return CycleModel(table, elf) if table else None


def _require_calls(calls: int, ops: Sequence[Any]) -> None:
    if calls != len(ops):
        raise DeviceError(
            f"The firmware made {max(calls, 0)} kernel calls and the manifest has {len(ops)} operators; "
            "compile the model again and profile a build with marks."
        )
