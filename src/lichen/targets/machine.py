"""The emulated machines: where their memories are, and which firmware files drive them.

Addresses are those of QEMU 7.2 (`hw/arm/mps2.c`, `mps2-tz.c`, `stm32f405_soc.c`, `nrf51_soc.c`). The machines with TrustZone (AN505,
AN547) start in the secure state, so theirs are the secure aliases.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lichen.backend.state import OVERHEAD
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
class Storage:
    """Two slots of `slot_bytes` for a model's state, which the file `source` of `firmware/` drives.

    Where they are in the flash that the image is in, the image ends before `flash_end`, or its code begins at `code_offset` behind them
    (both in bytes from the origin of the flash).
    """

    source: str
    slot_bytes: int
    defines: Mapping[str, str] = field(default_factory=dict)
    flash_end: int | None = None
    code_offset: int | None = None

    def holds(self, state_bytes: int, flash: int) -> bool:
        """Whether the slots are large enough for the state, and the board's flash for the slots."""
        end = 0 if self.flash_end is None else self.flash_end + 2 * self.slot_bytes
        return state_bytes + OVERHEAD <= self.slot_bytes and end <= flash


@dataclass(frozen=True)
class Machine:
    """One emulated machine: `sources` are the files of `firmware/` it needs, `uart` says which of its serial ports they drive.

    `storages` are the places it has for state that survives, the least costly first.
    """

    name: str
    core: str
    flash: Memory
    ram: Memory
    sources: tuple[str, ...]
    flags: tuple[str, ...] = ()
    uart: int = 0
    defines: Mapping[str, str] = field(default_factory=dict)
    storages: tuple[Storage, ...] = ()

    def storage_for(self, state_bytes: int, flash: int) -> Storage | None:
        """The place for that much state on a board with `flash` bytes; `None` if there is none, or no state."""
        fitting = (s for s in self.storages if s.holds(state_bytes, flash))
        return next(fitting, None) if state_bytes else None


def _mps(name: str, core: str, flash: Memory, ram: Memory, uart: int, dram: int) -> Machine:
    sources = ("start_cortexm.c", "uart_cmsdk.c")
    storage = _storage("storage_memory.c", dram, 512 * KIB)
    defines = {"LICHEN_UART_BASE": f"0x{uart:08X}u"}
    return Machine(name, core, flash, ram, sources, defines=defines, storages=(storage,))


def _storage(
    source: str,
    origin: int,
    slot_bytes: int,
    sector: int = 0,
    flash_end: int | None = None,
    code_offset: int | None = None,
) -> Storage:
    """Slots in memory that has an address; `sector` is the number that the flash controller gives the first."""
    defines = {"ORIGIN": f"0x{origin:08X}u", "SLOT_BYTES": f"{slot_bytes}u", "SECTOR": f"{sector}u"}
    named = {f"LICHEN_STORAGE_{name}": value for name, value in defines.items()}
    return Storage(source, slot_bytes, named, flash_end, code_offset)


_SSRAM1, _SSRAM23 = Memory(0x00000000, 4 * MIB), Memory(0x20000000, 4 * MIB)

MACHINES: dict[str, Machine] = {
    machine.name: machine
    for machine in (
        _mps("mps2-an385", "cortex-m3", _SSRAM1, _SSRAM23, 0x40004000, 0x21000000),
        _mps("mps2-an386", "cortex-m4f", _SSRAM1, _SSRAM23, 0x40004000, 0x21000000),
        _mps("mps2-an500", "cortex-m7f", _SSRAM1, _SSRAM23, 0x40004000, 0x60000000),
        _mps(
            "mps2-an505", "cortex-m33", Memory(0x10000000, 4 * MIB), Memory(0x38000000, 4 * MIB), 0x50200000, 0x80000000
        ),
        _mps(
            "mps3-an547",
            "cortex-m55",
            Memory(0x10000000, 512 * KIB),
            Memory(0x31000000, 4 * MIB),
            0x59303000,
            0x60000000,
        ),
        Machine(
            name="netduinoplus2",
            core="cortex-m4f",
            flash=Memory(0x08000000, 1 * MIB),
            ram=Memory(0x20000000, 128 * KIB),
            sources=("start_cortexm.c", "uart_stm32f4.c"),
            uart=1,  # USART2
            storages=(
                _storage("storage_stm32f4.c", 0x08004000, 16 * KIB, sector=1, code_offset=48 * KIB),
                _storage("storage_stm32f4.c", 0x08040000, 128 * KIB, sector=6, flash_end=256 * KIB),
            ),
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
            storages=(Storage("storage_avr.c", 512),),
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
