"""A bound on the cycles of Cortex-M7 code: what it takes if no two instructions are ever issued together.

Arm's Technical Reference Manual of the Cortex-M7 (DDI 0489) describes a pipeline that issues up to two instructions at once, in order, and
predicts branches, and gives no cycles. What is known of it publicly are the latencies in LLVM's scheduling model (`ARMScheduleM7.td`,
from which all figures below are unless said otherwise) and measurements (quinapalus.com/cm7cycles.html). So this is no model of the
chip but a bound from above: instructions are issued one at a time, in order, each when the last one has been issued and what it reads is
there. The chip is faster by what it issues in pairs, up to twice.

* A result can be read 1 cycle after its instruction has been issued; that of a multiplication, a saturation or a load after 2, of FPU
  arithmetic or a move between core and FPU after 3, of an FPU multiply-accumulate after 6. Forwarding of accumulators is left out.
* What makes an address, or goes through the shifter (shifted operands, bit fields, packing, extension, saturation), is needed a cycle
  earlier. An address that was stepped on by its load or store is there at once.
* Several words moved by LDM, STM, PUSH, POP or their FPU forms take a cycle each and one more, as on the Cortex-M4; LDRD and STRD two.
* Division blocks. Integers: 34 cycles, a bit of the quotient each and two; the latency of the scheduling model is 7, and no worst
  case is published. FPU division and square root: 16.
* A taken branch leaves a cycle empty. One that is predicted wrongly takes 6 more; how often that is has not been counted, so a branch is
  taken to fail twice for each time that it goes the rarer way, and once in the beginning, as a two-bit counter would at worst. A
  branch to an address in a register or from memory is always taken to fail.
* A block ends when all its results can be read for any purpose, so that nothing is lost between blocks.

Left out, as in the model of the others: wait states of the flash, misses of the caches, contention, unaligned accesses, and a store
buffer that is full.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from lichen.targets.blocks import Block
from lichen.targets.disassembly import Code, Instruction

_MULTIPLICATIONS = (
    "mul",
    "mla",
    "mls",
    "smla",
    "smls",
    "smmla",
    "smmls",
    "smmul",
    "smul",
    "smua",
    "smus",
    "umla",
    "umul",
    "umaal",
)
_SATURATIONS = ("ssat", "usat", "qadd", "qsub", "qdadd", "qdsub", "qasx", "qsax", "uqadd", "uqsub", "usad")
_FPU_ACCUMULATIONS = ("vmla", "vmls", "vnmla", "vnmls", "vfma", "vfms", "vfnma", "vfnms")
_THROUGH_SHIFTER = (
    "ssat",
    "usat",
    "qdadd",
    "qdsub",
    "pkh",
    "sxt",
    "uxt",
    "sbfx",
    "ubfx",
    "bfi",
    "bfc",
    "rev",
    "rbit",
    "rrx",
)
_BLOCKING = {"sdiv": 34, "udiv": 34, "vdiv": 16, "vsqrt": 16}
_PAIRS = ("ldrd", "strd")

_BUBBLE = 1  # cycles that a taken branch leaves empty
_MISPREDICTION = 6


@dataclass(frozen=True)
class BoundedBlock:
    """Cycles `once` for every execution of a block, `taken` more where its conditional branch was taken, `failed` more where it was mispredicted."""

    once: int
    taken: int = 0
    failed: int = 0


class SingleIssueBound:
    """Bounds on the cycles of the blocks of one image."""

    are: ClassVar[Literal["modelled, single-issue bound"]] = "modelled, single-issue bound"

    def __init__(self, elf: Path) -> None:
        self._code = Code(elf)
        self._known: dict[tuple[int, int], BoundedBlock] = {}

    def total(self, blocks: Iterable[Block]) -> int:
        """The most cycles of all executions of `blocks`. Raises `DeviceError` if they are not code of the image."""
        return sum(self.cycles(block) for block in blocks)

    def cycles(self, block: Block) -> int:
        """The most cycles of all executions of one block."""
        key = block.address, block.bytes
        if key not in self._known:
            self._known[key] = _bound(self._code.instructions(block))
        known = self._known[key]
        rarer = min(block.taken, block.executions - block.taken)
        failures = min(block.executions, 2 * rarer + 1)
        return block.executions * known.once + block.taken * known.taken + failures * known.failed


def _bound(instructions: list[Instruction]) -> BoundedBlock:
    ready: dict[int, int] = {}  # the cycle in which a register can be read
    now = 0  # in which the next instruction can be issued
    for instruction in instructions:
        now = max([now, *(ready.get(register, 0) for register in instruction.read), *_early(instruction, ready)])
        now += _issue(instruction)
        for register in instruction.results:
            updated = register in instruction.updated
            ready[register] = now - 1 + (0 if updated else _latency(instruction))
    drained = max((cycle + 1 for cycle in ready.values()), default=0)
    last = instructions[-1]
    if not last.leaves:
        return BoundedBlock(max(now, drained))
    gone = max(now + _BUBBLE, drained)
    if last.conditional and last.target is not None:
        stayed = max(now, drained)
        return BoundedBlock(stayed, gone - stayed, _MISPREDICTION)
    if last.target is None or last.transfers:
        gone += _MISPREDICTION + (_latency(last) if last.transfers else 0)
    return BoundedBlock(gone)


def _early(instruction: Instruction, ready: dict[int, int]) -> list[int]:
    """When registers that are needed a cycle early can be read."""
    through_shifter = instruction.shifts or instruction.name.startswith(_THROUGH_SHIFTER)
    registers = instruction.read if through_shifter else instruction.address
    return [ready[register] + 1 for register in registers if register in ready]


def _issue(instruction: Instruction) -> int:
    """Cycles from its issue to the next one's."""
    if instruction.transfers > 1:
        return instruction.transfers + (instruction.name not in _PAIRS)
    return _BLOCKING.get(instruction.name, 1)


def _latency(instruction: Instruction) -> int:
    """Cycles from the end of its issue until results can be read."""
    name = instruction.name
    if name in _BLOCKING:
        return 1
    if name.startswith(_FPU_ACCUMULATIONS):
        return 6
    if instruction.is_load:
        return 2
    if name.startswith("v"):
        return 3
    return 2 if name.startswith((*_MULTIPLICATIONS, *_SATURATIONS)) else 1
