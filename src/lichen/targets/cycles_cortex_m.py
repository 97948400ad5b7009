"""Modelled cycles of Cortex-M code: the tables of Arm's Technical Reference Manuals, applied to disassembled blocks.

The manuals are Arm 100166 and DDI 0439 (Cortex-M4: instructions, load/store timings, FPU), DDI 0337 (M3), DDI 0484
(M0+) and DDI 0432 (M0). For the Cortex-M7, M33 and M55 Arm publishes no such table, so there is no model: `cycle_table`
gives `None`.

What is assumed:

* Memory has no wait states, for code and data alike; a board that runs faster than its flash takes longer.
* Nothing but the code runs: no interrupt, no contention between fetches and literal loads.
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
from typing import Any

from elftools.elf.elffile import ELFFile

from lichen.errors import DeviceError
from lichen.targets.blocks import Block

_BRANCHES = {"b", "bl", "blx", "bx", "cbz", "cbnz", "tbb", "tbh"}
_MULTIPLE = {"push", "pop", "ldm", "ldmdb", "stm", "stmdb", "vpush", "vpop", "vldmia", "vldmdb", "vstmia", "vstmdb"}
_DOUBLE = {"ldrd", "strd"}
_FPU_MEMORY = {"vldr", "vstr"}
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

    def __init__(self, table: CycleTable, elf: Path) -> None:
        self._table = table
        self._disassembler = _disassembler()
        self._known: dict[tuple[int, int], BlockCycles] = {}
        with elf.open("rb") as file:
            segments = ELFFile(file).iter_segments("PT_LOAD")
            self._code = [(segment["p_vaddr"], segment.data()) for segment in segments]

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
        code = self._read(block.address, block.bytes)
        instructions = [_Instruction(self._disassembler, raw) for raw in self._disassembler.disasm(code, block.address)]
        if len(instructions) != block.instructions:
            raise DeviceError(
                f"The {block.bytes} bytes at {block.address:#x} are not the code that ran; build the firmware again."
            )
        befores = [None, *instructions[:-1]]
        cycles = [self._straight(now, before) for now, before in zip(instructions, befores, strict=True)]
        last = instructions[-1]
        refill = self._refill(last) if last.leaves else 0
        if last.leaves and last.conditional:
            return BlockCycles(once=sum(cycles[:-1]) + 1, taken=cycles[-1] - 1 + refill)
        return BlockCycles(once=sum(cycles) + refill)

    def _straight(self, now: _Instruction, before: _Instruction | None) -> int:
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

    def _refill(self, last: _Instruction) -> int:
        """Cycles until the instruction branched to can execute."""
        table = self._table
        if last.transfers:
            return table.loaded
        if last.target is None:
            return table.computed
        refill = table.call if last.name == "bl" else table.branch
        return refill + (table.pipelined and last.target % 4 == 2 and self._is_wide(last.target))

    def _is_wide(self, address: int) -> bool:
        return int.from_bytes(self._read(address, 2), "little") >> 11 >= 0b11101

    def _read(self, address: int, count: int) -> bytes:
        for start, data in self._code:
            if start <= address and address + count <= start + len(data):
                return bytes(data[address - start : address - start + count])
        raise DeviceError(f"Code ran at {address:#x}, which is not part of the image; build the firmware again.")


class _Instruction:
    """What the timing needs to know of one instruction. Registers are capstone's numbers."""

    def __init__(self, disassembler: Any, raw: Any) -> None:
        from capstone import arm_const as arm

        self.name: str = disassembler.insn_name(raw.id)
        self.bytes: int = raw.size
        read, written = raw.regs_access()
        self.read = _with_halves(read, arm)
        self.written = _with_halves(written, arm) - {arm.ARM_REG_CPSR}
        self.conditional: bool = raw.cc not in (arm.ARM_CC_AL, arm.ARM_CC_INVALID) or self.name in ("cbz", "cbnz")
        self.leaves: bool = self.name in _BRANCHES or arm.ARM_REG_PC in self.written
        memory = [operand.mem for operand in raw.operands if operand.type == arm.ARM_OP_MEM]
        self.offset_in_register = any(place.index for place in memory)
        self.target = next((operand.imm for operand in raw.operands[-1:] if operand.type == arm.ARM_OP_IMM), None)
        self.transfers = self._transfers(raw, arm)
        self.address = frozenset(register for place in memory for register in (place.base, place.index) if register)
        if self.name in ("push", "pop", "vpush", "vpop"):
            self.address = frozenset({arm.ARM_REG_SP})
        elif self.name in _MULTIPLE:
            self.address = frozenset({raw.operands[0].reg})
        is_single = self.name.startswith(("ldr", "str")) and self.name not in _DOUBLE
        self.single_load = is_single and self.name.startswith("ldr") and not self.leaves
        self.loaded = raw.operands[0].reg if self.single_load else None
        self.single_store = is_single and self.name.startswith("str")

    def _transfers(self, raw: Any, arm: Any) -> int:
        """Words moved to or from memory, or two at once between core and FPU; these take a cycle each and one more."""
        if self.name in _MULTIPLE:
            addressed = 0 if self.name in ("push", "pop", "vpush", "vpop") else 1
            return sum(2 if _is_double(operand.reg, arm) else 1 for operand in raw.operands[addressed:])
        if self.name in _DOUBLE:
            return 2
        if self.name in _FPU_MEMORY:
            return 2 if _is_double(raw.operands[0].reg, arm) else 1
        if self.name in ("tbb", "tbh"):
            return 2  # one of them is the addition to the program counter
        if self.name.startswith(("ldr", "str")):
            return 1
        return 1 if self.name == "vmov" and len(raw.operands) > 2 else 0


def _is_double(register: int, arm: Any) -> bool:
    return bool(arm.ARM_REG_D0 <= register <= arm.ARM_REG_D31)


def _with_halves(registers: list[int], arm: Any) -> frozenset[int]:
    """`registers` with the two single registers of every double one."""
    halves = [
        arm.ARM_REG_S0 + 2 * (register - arm.ARM_REG_D0) + half
        for register in registers
        if arm.ARM_REG_D0 <= register <= arm.ARM_REG_D15
        for half in (0, 1)
    ]
    return frozenset([*registers, *halves])


def _disassembler() -> Any:
    import capstone  # takes a tenth of a second, and only profiles need it

    disassembler = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
    disassembler.detail = True
    return disassembler
