"""The emulated machines: where their memories are, and which firmware files drive them.

Addresses are those of QEMU 7.2 (`hw/arm/mps2.c`, `mps2-tz.c`, `stm32f405_soc.c`, `nrf51_soc.c`). The machines with TrustZone (AN505,
AN547) start in the secure state, so theirs are the secure aliases.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lichen.errors import InputError
from lichen.targets.board import Board

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True)
class Memory:
    """`bytes` bytes from address `origin`."""

    origin: int
    bytes: int


@dataclass(frozen=True)
class Machine:
    """One emulated machine: `sources` are the files of `firmware/` it needs, `uart` says which of its serial ports they drive."""

    name: str
    core: str
    flash: Memory
    ram: Memory
    sources: tuple[str, ...]
    flags: tuple[str, ...] = ()
    uart: int = 0
    defines: Mapping[str, str] = field(default_factory=dict)


def _mps(name: str, core: str, flash: Memory, ram: Memory, uart: int) -> Machine:
    return Machine(
        name, core, flash, ram, ("start_cortexm.c", "uart_cmsdk.c"), defines={"LICHEN_UART_BASE": f"0x{uart:08X}u"}
    )


_SSRAM1, _SSRAM23 = Memory(0x00000000, 4 * MIB), Memory(0x20000000, 4 * MIB)

MACHINES: dict[str, Machine] = {
    machine.name: machine
    for machine in (
        _mps("mps2-an385", "cortex-m3", _SSRAM1, _SSRAM23, 0x40004000),
        _mps("mps2-an386", "cortex-m4f", _SSRAM1, _SSRAM23, 0x40004000),
        _mps("mps2-an500", "cortex-m7f", _SSRAM1, _SSRAM23, 0x40004000),
        _mps("mps2-an505", "cortex-m33", Memory(0x10000000, 4 * MIB), Memory(0x38000000, 4 * MIB), 0x50200000),
        _mps("mps3-an547", "cortex-m55", Memory(0x10000000, 512 * KIB), Memory(0x31000000, 4 * MIB), 0x59303000),
        Machine(
            name="netduinoplus2",
            core="cortex-m4f",
            flash=Memory(0x08000000, 1 * MIB),
            ram=Memory(0x20000000, 128 * KIB),
            sources=("start_cortexm.c", "uart_stm32f4.c"),
            uart=1,  # USART2
        ),
        Machine(
            name="microbit",
            core="cortex-m0",
            flash=Memory(0x00000000, 256 * KIB),
            ram=Memory(0x20000000, 16 * KIB),
            sources=("start_cortexm.c", "uart_nrf51.c"),
        ),
        Machine(
            name="atmega328p",
            core="avr5",
            flash=Memory(0x000000, 32 * KIB),
            ram=Memory(0x800100, 2 * KIB),
            sources=("start_avr.c", "uart_avr.c"),
            flags=("-mmcu=atmega328p",),
        ),
    )
}


def machine_of(board: Board) -> Machine:
    """The machine that stands for `board`.

    `InputError` if the board names none, one that does not exist, or one with less memory than the board has (linking against the
    board's sizes would then promise what the machine cannot run).
    """
    if board.emulator is None:
        raise InputError(
            f"board {board.name} names no emulator, so firmware for it cannot be built; add [emulator] to its TOML"
        )
    machine = MACHINES.get(board.emulator.machine)
    if machine is None:
        raise InputError(
            f"board {board.name} names the unknown machine {board.emulator.machine!r}; use {', '.join(MACHINES)}"
        )
    if board.ram > machine.ram.bytes or board.flash > machine.flash.bytes:
        raise InputError(
            f"board {board.name} has more RAM or flash than its machine {machine.name}; choose a larger machine"
        )
    return machine
