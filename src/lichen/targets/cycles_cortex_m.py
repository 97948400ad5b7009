"""Modelled cycles of Cortex-M code: the tables of Arm's Technical Reference Manuals, applied to disassembled blocks.

Where the figures are from, by class of instruction:

| class | Cortex-M4 (Arm 100166, DDI 0439) | Cortex-M3 (DDI 0337I) | Cortex-M0+ (DDI 0484C), M0 (DDI 0432C) |
| --- | --- | --- | --- |
| arithmetic, moves, shifts, saturation, extension | 3.3.1, Table 3-1: 1 | 3.3.1: 1 | 3.3, Table 3-1: 1 |
| MUL, MLA, SMULL, SMLAL | Table 3-1: 1 | 1, 2, 3 to 5, 4 to 7 | MULS 1 or 32 |
| SDIV, UDIV | Table 3-1: 2 to 12 | 2 to 12 | not there |
| DSP: SMLAD, SMLAxy, SMMLA, QADD, SXTAB16, PKH, SADD16 | Table 3-2: 1 | not there | not there |
| LDR, STR | Table 3-1: 2, and "Load/store timings" (3.3.2) | likewise, page 3-9 | 2 |
| LDM, STM, PUSH, POP of N registers | 1 + N | 1 + N | 1 + N |
| LDRD, STRD | 1 + 2, never pipelined | likewise | not there |
| branches | not taken 1, taken 1 + P | likewise | taken 2 (M0: 3), BL 3 (4), POP with PC 3 + N (4 + N) |
| FPU: arithmetic, accumulate, VDIV and VSQRT, VLDR | Table 7-1: 1, 3, 14, 1 + words | not there | not there |
| VMOV between core and FPU, one float or two | Table 7-1: 2 | not there | not there |

Looked up for this list were Table 3-1 and page 3-9 as Arm published them, and of the Cortex-M4 the copies of 3.3.2 and Table 7-1 in
TI's SWCU192; Table 3-2 and the M0's manual were not at hand. The Cortex-M7 has a bound in `cycles_cortex_m7`. For the M33 and M55 Arm
publishes no such table, so there is no model: `cycle_table` gives `None`.

What is assumed:

* Memory has no wait states, for code and data alike; a board that runs faster than its flash takes longer.
* Nothing but the code runs: no interrupt, no contention between fetches and literal loads or for the bus.
* Where a count depends on values (division; long multiplication on the M3) the manual's largest is taken.
* MULS of the M0 and M0+ takes one cycle, as on the RP2040, and not the 32 of the small multiplier.
* The pipeline refill P of the M3 and M4, "1 to 3", is 1 where the branch holds its target, 2 where that target is a
  32-bit instruction across a word boundary, and 3 where the target comes from a register or from memory.
* An instruction under IT takes as long as if its condition held. Branches are exact: how often each was taken has been
  counted.
* A load behind a load takes one cycle less within a block only; blocks are cut where something can branch. Loads of
  FPU registers do not: the manual says nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from lichen.targets.blocks import Block
from lichen.targets.disassembly import Code, Instruction

_FPU_ACCUMULATE = {"vmla", "vmls", "vnmla", "vnmls", "vfma", "vfms", "vfnma", "vfnms"}
_FPU_ARITHMETIC = _FPU_ACCUMULATE | {"vadd", "vsub", "vmul", "vnmul", "vdiv", "vsqrt", "vcvt", "vcvtr"}


@dataclass(frozen=True)
class BlockCycles:
    """`once` for every execution of a block, and `taken` more where the conditional branch at its end was taken."""

    once: int
    taken: int = 0


@dataclass(frozen=True)
class CycleTable:
    """The timing of one processor.

    `cycles` holds the instructions that do not take one cycle. A branch to an address it holds takes `branch` more than
    its one cycle, BL `call`, one to an address in a register `computed`, and a load of the program counter `loaded`
    more than a load. `pipelined` stands for what the M3 and M4 have: loads that overlap, stores that do not wait,
    dependencies that cost a cycle, IT folding, and branches that wait for a target across a word boundary.
    """

    branch: int
    call: int
    computed: int
    loaded: int
    pipelined: bool
    cycles: Mapping[str, int]


def _v6m(taken: int, system: int) -> CycleTable:
    """Every way to branch takes `taken` more, BL and a load of the program counter one more still."""
    slow = dict.fromkeys(("mrs", "msr", "dmb", "dsb", "isb"), system)
    return CycleTable(branch=taken, call=taken + 1, computed=taken, loaded=taken + 1, pipelined=False, cycles=slow)


def _v7m(slow: dict[str, int]) -> CycleTable:
    common = {"sdiv": 12, "udiv": 12, "mrs": 2, "msr": 2, "cps": 2, "isb": 4}
    return CycleTable(branch=1, call=1, computed=3, loaded=3, pipelined=True, cycles=common | slow)


_TABLES = {
    "cortex-m0": _v6m(taken=2, system=4),
    "cortex-m0plus": _v6m(taken=1, system=3),
    "cortex-m3": _v7m({"mla": 2, "mls": 2, "smull": 5, "umull": 5, "smlal": 7, "umlal": 7}),
    "cortex-m4f": _v7m({**dict.fromkeys(_FPU_ACCUMULATE, 3), "vdiv": 14, "vsqrt": 14}),
}


def cycle_table(core: str) -> CycleTable | None:
    """The timing of a core of `core.PROCESSORS`, `None` where its manual has no table."""
    return _TABLES.get(core)


class CycleModel:
    """Cycles of the blocks of one image."""

    are: ClassVar[Literal["modelled"]] = "modelled"

    def __init__(self, table: CycleTable, elf: Path) -> None:
        self._table = table
        self._code = Code(elf)
        self._known: dict[tuple[int, int], BlockCycles] = {}

    def total(self, blocks: Iterable[Block]) -> int:
        """The cycles of all executions of `blocks`. Raises `DeviceError` if they are not code of the image."""
        return sum(self.cycles(block) for block in blocks)

    def cycles(self, block: Block) -> int:
        """The cycles of all executions of one block."""
        key = block.address, block.bytes
        if key not in self._known:
            self._known[key] = self._model(block)
        cycles = self._known[key]
        return block.executions * cycles.once + block.taken * cycles.taken

    def _model(self, block: Block) -> BlockCycles:
        instructions = self._code.instructions(block)
        befores = [None, *instructions[:-1]]
        cycles = [self._straight(now, before) for now, before in zip(instructions, befores, strict=True)]
        last = instructions[-1]
        refill = self._refill(last) if last.leaves else 0
        if last.leaves and last.conditional:
            return BlockCycles(once=sum(cycles[:-1]) + 1, taken=cycles[-1] - 1 + refill)
        return BlockCycles(once=sum(cycles) + refill)

    def _straight(self, now: Instruction, before: Instruction | None) -> int:
        """Cycles of an instruction behind another, without the refill of the pipeline if it branches."""
        alone = 1 + now.transfers if now.transfers else self._table.cycles.get(now.name, 1)
        if not self._table.pipelined:
            return alone
        if now.name == "it":
            return 0 if before and before.bytes == 2 else 1
        if now.single_store and not now.offset_in_register:
            alone = 1
        if before is None:
            return alone
        if before.single_load and (now.single_load or now.single_store) and before.loaded not in now.address:
            return 1
        late_address = not before.transfers and now.address & before.written
        late_operand = before.name in _FPU_ARITHMETIC and now.read & before.written
        return alone + 1 if late_address or late_operand else alone

    def _refill(self, last: Instruction) -> int:
        """Cycles until the instruction branched to can execute."""
        table = self._table
        if last.transfers:
            return table.loaded
        if last.target is None:
            return table.computed
        refill = table.call if last.name == "bl" else table.branch
        return refill + (table.pipelined and last.target % 4 == 2 and self._code.is_wide(last.target))
