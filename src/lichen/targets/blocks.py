"""How often each block of code ran during one inference in QEMU, counted by a plugin that is compiled on first use."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from lichen.errors import DeviceError
from lichen.targets.cache import cached_build, digest_of
from lichen.targets.closing import Closing
from lichen.targets.toolchain import find_compiler

_FOLDER = Path(__file__).parent / "plugin"
_FLAGS = ("-std=c99", "-O2", "-fPIC", "-shared", "-fvisibility=hidden")
_PLUGIN = "lichen_blocks.so"
_MARKS = {"begin": "lichen_mark_begin", "end": "lichen_mark_end", "mark": "lichen_mark", "row": "lichen_mark_row"}


@dataclass(frozen=True)
class Block:
    """Instructions that ran one after the other.

    `address` is that of the first, `executions` how often they ran, and `taken` how often execution went on elsewhere
    than right behind them. Blocks may overlap: code that is jumped into is part of several.
    """

    address: int
    bytes: int
    instructions: int
    executions: int
    taken: int


Interval = tuple[Block, ...]
"""What ran between two marks: interval 0 lies before the first kernel call, k + 1 is call k, the last behind them all. What fetches rows of an input is left out."""


class BlockCounter(Closing):
    """Counts the blocks of one inference; a context manager that owns the file the plugin writes.

    Give `options` to `Qemu` along with the same `elf`, run the inference, read `intervals()`. `skip` inferences are let
    pass first. Raises `MissingToolError` without a host compiler and `DeviceError` if `elf` has no marks around its
    inference.
    """

    def __init__(self, elf: Path, skip: int = 0) -> None:
        marks = _marks(elf)
        plugin = build_plugin()
        self._folder = tempfile.TemporaryDirectory(prefix="lichen-blocks-")
        self._file = Path(self._folder.name) / "blocks"
        arguments = [f"{key}={address}+{size}" for key, (address, size) in marks.items()]
        parts = [str(plugin), f"out={self._file}", *arguments, f"skip={skip}"]
        self.options = ("-plugin", ",".join(part.replace(",", ",,") for part in parts))

    def intervals(self) -> tuple[Interval, ...]:
        """What ran, interval by interval. Raises `DeviceError` before the inference has ended."""
        if not self._file.is_file():
            raise DeviceError(
                "The firmware in QEMU has not finished the inference to count, so there are no counts to read."
            )
        return parse_blocks(self._file.read_text("ascii"))

    def close(self) -> None:
        """Removes the file. Closing twice does nothing."""
        self._folder.cleanup()


def build_plugin() -> Path:
    """The plugin, compiled once per compiler and source. Raises `MissingToolError` without a compiler."""
    compiler = find_compiler("cc")
    sources = sorted(_FOLDER.glob("*.[ch]"))
    digest = digest_of([compiler.path, compiler.version, *_FLAGS, *(source.read_bytes() for source in sources)])
    inputs = [str(source) for source in sources if source.suffix == ".c"]
    return cached_build(digest, lambda folder: compiler.require([*_FLAGS, *inputs, "-o", _PLUGIN], folder)) / _PLUGIN


def parse_blocks(text: str) -> tuple[Interval, ...]:
    """Reads the plugin's file: the fields of a `Block` line by line, a blank line behind every interval."""
    intervals: list[Interval] = []
    blocks: list[Block] = []
    for line in text.splitlines():
        if line:
            blocks.append(Block(*(int(field) for field in line.split())))
        else:
            intervals.append(tuple(sorted(blocks, key=lambda block: (block.address, block.bytes))))
            blocks = []
    return tuple(intervals)


def count_instructions(blocks: Sequence[Block]) -> int:
    """The executed instructions of an interval. One under IT whose condition does not hold is executed too."""
    return sum(block.instructions * block.executions for block in blocks)


def _marks(elf: Path) -> dict[str, tuple[int, int]]:
    """The plugin's argument -> address and bytes of the function. Not every image has `mark` and `row`."""
    with elf.open("rb") as file:
        tables = [section for section in ELFFile(file).iter_sections() if isinstance(section, SymbolTableSection)]
        symbols = {symbol.name: symbol for table in tables for symbol in table.iter_symbols()}
    found = {
        key: (symbols[name]["st_value"] & ~1, symbols[name]["st_size"])  # bit 0 says that the function is Thumb code
        for key, name in _MARKS.items()
        if name in symbols
    }
    for key in ("begin", "end"):
        if key not in found:
            raise DeviceError(f"{elf} has no function {_MARKS[key]}: build the firmware with this Lichen.")
    return found
