"""What a linked image takes of a board's flash and RAM, from its ELF file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection


@dataclass(frozen=True)
class Symbol:
    """A function or variable of the image; an initialised variable takes its bytes of both memories."""

    name: str
    bytes: int
    in_flash: bool
    in_ram: bool


@dataclass(frozen=True)
class ImageSize:
    """Bytes of flash and of statically allocated RAM; `symbols` are the largest first."""

    flash: int
    weights: int
    ram: int
    symbols: tuple[Symbol, ...]

    @property
    def code(self) -> int:
        """All flash that is not the model's tables: kernels, start-up code, link protocol, initial values."""
        return self.flash - self.weights


def measure(elf: Path, weights_prefix: str) -> ImageSize:
    """The sizes of the image in `elf`; the model's tables are the symbols whose name starts with `weights_prefix`."""
    with elf.open("rb") as stream:
        sections = list(ELFFile(stream).iter_sections())
        flash = sum(section["sh_size"] for section in sections if _memories(section)[0])
        ram = sum(section["sh_size"] for section in sections if _memories(section)[1])
        symbols = _by_size(sections)
    weights = sum(symbol.bytes for symbol in symbols if symbol.in_flash and symbol.name.startswith(weights_prefix))
    return ImageSize(flash, weights, ram, symbols)


def read_symbols(elf: Path) -> tuple[Symbol, ...]:
    """The functions and variables of an object file or image, the largest first."""
    with elf.open("rb") as stream:
        return _by_size(list(ELFFile(stream).iter_sections()))


def _by_size(sections: list[Any]) -> tuple[Symbol, ...]:
    return tuple(sorted(_symbols(sections), key=lambda symbol: (-symbol.bytes, symbol.name)))


def _memories(section: Any) -> tuple[bool, bool]:
    """Whether a section takes flash, RAM: what is allocated and has contents is flashed, what is writable lives in RAM."""
    flags = section["sh_flags"]
    if not flags & SH_FLAGS.SHF_ALLOC:
        return False, False
    return section["sh_type"] != "SHT_NOBITS", bool(flags & SH_FLAGS.SHF_WRITE)


def _symbols(sections: list[Any]) -> Iterable[Symbol]:
    """Each function and variable once, although libraries give some of theirs several names."""
    seen = set()
    for table in sections:
        if not isinstance(table, SymbolTableSection):
            continue
        for symbol in table.iter_symbols():
            place = index, _, size = symbol["st_shndx"], symbol["st_value"], symbol["st_size"]
            if symbol["st_info"]["type"] not in ("STT_OBJECT", "STT_FUNC") or size == 0 or not isinstance(index, int):
                continue
            in_flash, in_ram = _memories(sections[index])
            if (in_flash or in_ram) and place not in seen:
                seen.add(place)
                yield Symbol(symbol.name, size, in_flash, in_ram)
