"""Linking: which script lays an image out, how it learns the sizes of the memories, and how it says that they are too small."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from lichen.targets.machine import Machine

_FIRMWARE = Path(__file__).parent / "firmware"
_OVERFLOWED = re.compile(
    r"overflowed by|will not fit in region|no room for the stack|is not within region|relocation truncated to fit"
)


@dataclass(frozen=True)
class Linker:
    """`most_*` are lengths with which any image links that can be linked at all; `least_stack` bytes of RAM must be left for the stack.

    `symbols` names what the script calls the memories' lengths (flash, RAM) and, where it wants to know them, their origins.
    """

    script: Path
    flags: tuple[str, ...]
    most_flash: int
    most_ram: int
    least_stack: int
    lengths: tuple[str, str]
    origins: tuple[str, str] | None

    def regions(self, machine: Machine, flash: int, ram: int) -> list[str]:
        """The flags for memories of `flash` and `ram` bytes at the machine's addresses."""
        symbols = {self.lengths[0]: flash, self.lengths[1]: ram}
        symbols["LICHEN_STACK_MINIMUM"] = self.least_stack
        if self.origins:
            symbols |= {self.origins[0]: machine.flash.origin, self.origins[1]: machine.ram.origin}
        return [f"-Wl,--defsym={name}={value:#x}" for name, value in symbols.items()]

    def overflowed(self, stderr: str) -> bool:
        """Whether the linker's messages say that a memory is too small."""
        return bool(_OVERFLOWED.search(stderr))


_CORTEX_M = _FIRMWARE / "cortexm.ld"
_AVR = _FIRMWARE / "avr.ld"

LINKERS: dict[str, Linker] = {
    "arm-none-eabi-gcc": Linker(
        script=_CORTEX_M,
        flags=("-nostartfiles", "--specs=nano.specs", "-Wl,--gc-sections", "-T", str(_CORTEX_M), "-lm"),
        most_flash=1 << 27,
        most_ram=1 << 28,
        least_stack=1024,
        lengths=("LICHEN_FLASH_LENGTH", "LICHEN_RAM_LENGTH"),
        origins=("LICHEN_FLASH_ORIGIN", "LICHEN_RAM_ORIGIN"),
    ),
    "avr-gcc": Linker(
        script=_AVR,
        flags=("-Wl,--gc-sections", str(_AVR), "-lm"),
        most_flash=1 << 23,
        most_ram=0xFE00,
        least_stack=256,
        lengths=("__TEXT_REGION_LENGTH__", "__DATA_REGION_LENGTH__"),
        origins=None,  # avr-libc's own script knows them
    ),
}
"""By compiler."""
