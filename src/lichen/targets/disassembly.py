"""Disassembled code of an image: what the timing of a Cortex-M needs to know of each instruction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from elftools.elf.elffile import ELFFile

from lichen.errors import DeviceError
from lichen.targets.blocks import Block

_BRANCHES = {"b", "bl", "blx", "bx", "cbz", "cbnz", "tbb", "tbh"}
_STACK = {"push", "pop", "vpush", "vpop"}
_MULTIPLE = _STACK | {"ldm", "ldmdb", "stm", "stmdb", "vldmia", "vldmdb", "vstmia", "vstmdb"}
_DOUBLE = {"ldrd", "strd"}
_FPU_MEMORY = {"vldr", "vstr"}
_LOADS = ("ldr", "ldm", "pop", "vldr", "vldm", "vpop")


class Code:
    """The code of the image `elf`."""

    def __init__(self, elf: Path) -> None:
        self._disassembler = _disassembler()
        with elf.open("rb") as file:
            segments = ELFFile(file).iter_segments("PT_LOAD")
            self._segments = [(segment["p_vaddr"], segment.data()) for segment in segments]

    def instructions(self, block: Block) -> list[Instruction]:
        """Those of a block that ran. Raises `DeviceError` if it is not code of the image."""
        code = self._read(block.address, block.bytes)
        found = [Instruction(self._disassembler, raw) for raw in self._disassembler.disasm(code, block.address)]
        if len(found) != block.instructions:
            raise DeviceError(
                f"The {block.bytes} bytes at {block.address:#x} are not the code that ran; build the firmware again."
            )
        return found

    def is_wide(self, address: int) -> bool:
        """Whether the instruction at `address` takes 32 bits."""
        return int.from_bytes(self._read(address, 2), "little") >> 11 >= 0b11101

    def _read(self, address: int, count: int) -> bytes:
        for start, data in self._segments:
            if start <= address and address + count <= start + len(data):
                return bytes(data[address - start : address - start + count])
        raise DeviceError(f"Code ran at {address:#x}, which is not part of the image; build the firmware again.")


class Instruction:
    """One instruction. Registers are capstone's numbers.

    `results` are the registers it writes but the program counter; `address` are those that an address is made of, `updated` those of them that addressing changes; `transfers` counts words
    moved to or from memory; a move between core and FPU counts as one.
    """

    def __init__(self, disassembler: Any, raw: Any) -> None:
        from capstone import arm_const as arm

        self.name: str = disassembler.insn_name(raw.id)
        self.bytes: int = raw.size
        read, written = raw.regs_access()
        untold = [o.reg for o in raw.operands if o.type == arm.ARM_OP_REG and not o.access]  # SSAT's source, for one
        self.read = _with_halves([*read, *untold], arm)
        self.written = _with_halves(written, arm) - {arm.ARM_REG_CPSR}
        self.conditional: bool = raw.cc not in (arm.ARM_CC_AL, arm.ARM_CC_INVALID) or self.name in ("cbz", "cbnz")
        self.leaves: bool = self.name in _BRANCHES or arm.ARM_REG_PC in self.written
        self.results = self.written - {arm.ARM_REG_PC}
        memory = [operand.mem for operand in raw.operands if operand.type == arm.ARM_OP_MEM]
        self.offset_in_register = any(place.index for place in memory)
        self.target = next((operand.imm for operand in raw.operands[-1:] if operand.type == arm.ARM_OP_IMM), None)
        self.transfers = self._transfers(raw, arm)
        self.address = frozenset(register for place in memory for register in (place.base, place.index) if register)
        if self.name in _STACK:
            self.address = frozenset({arm.ARM_REG_SP})
        elif self.name in _MULTIPLE:
            self.address = frozenset({raw.operands[0].reg})
        is_single = self.name.startswith(("ldr", "str")) and self.name not in _DOUBLE
        self.single_load = is_single and self.name.startswith("ldr") and not self.leaves
        self.loaded = raw.operands[0].reg if self.single_load else None
        self.single_store = is_single and self.name.startswith("str")
        self.is_load: bool = self.name.startswith(_LOADS)
        registers = [operand.reg for operand in raw.operands if operand.type == arm.ARM_OP_REG]
        based = self.name in _MULTIPLE - _STACK  # the first register is the address
        self.updated = (self.address & self.written) - (frozenset(registers[based:]) if self.is_load else frozenset())
        self.shifts = any(operand.shift.type != arm.ARM_SFT_INVALID for operand in raw.operands)

    def _transfers(self, raw: Any, arm: Any) -> int:
        if self.name in _MULTIPLE:
            addressed = 0 if self.name in _STACK else 1
            return sum(2 if _is_double(operand.reg, arm) else 1 for operand in raw.operands[addressed:])
        if self.name in _DOUBLE:
            return 2
        if self.name in _FPU_MEMORY:
            return 2 if _is_double(raw.operands[0].reg, arm) else 1
        if self.name in ("tbb", "tbh"):
            return 2  # one of them is the addition to the program counter
        if self.name.startswith(("ldr", "str")):
            return 1
        return int(self.name == "vmov" and any(_is_core(operand.reg, arm) for operand in raw.operands))


def _is_core(register: int, arm: Any) -> bool:
    return bool(arm.ARM_REG_R0 <= register <= arm.ARM_REG_R12 or register == arm.ARM_REG_LR)


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
