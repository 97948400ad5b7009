"""simavr running a firmware image: a byte stream to the emulated UART, and the cycles of the first inference.

simavr's own command has no serial input, so a small runner over its library is compiled on first use
(`simavr_runner/runner.c`).
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from lichen.errors import DeviceError, MissingToolError
from lichen.targets.cache import cached_build, digest_of
from lichen.targets.process import ProcessTransport
from lichen.targets.toolchain import BuildError, find_compiler, first_error, install_line

_SOURCE = Path(__file__).parent / "simavr_runner" / "runner.c"
_FLAGS = ("-O2", "-std=gnu99")
_LIBRARIES = ("-lsimavr",)
_MISSING = ("simavr/", "-lsimavr")  # what the compiler's message contains when the header or the library is not there


@dataclass(frozen=True)
class Count:
    """Emulated cycles and executed instructions."""

    cycles: int
    instructions: int


@dataclass(frozen=True)
class InferenceCount(Count):
    """Of one inference; `ops` are those of its kernel calls, in order, in a build with `Mark.PROFILE`, and empty otherwise.

    The calls of `lichen_mark` themselves are part of the inference and not of any operator, so the sum of `ops` is the
    better total of a profiled build.
    """

    ops: tuple[Count, ...]


class Simavr(ProcessTransport):
    """A running ATmega328P and the transport to it.

    Emulated time is not tied to real time: it stands still while the firmware waits for the host. Raises
    `MissingToolError` without a compiler or libsimavr, and `DeviceError` if `elf` is not an image with the marks of
    `lichen_device.h`.
    """

    def __init__(self, elf: Path, *, clock_hz: int = 16_000_000, mcu: str = "atmega328p") -> None:
        runner = build_runner()
        marks = _marks(elf)
        self._folder = tempfile.TemporaryDirectory(prefix="lichen-simavr-")
        self._report = Path(self._folder.name) / "report.json"
        self._first_inference: InferenceCount | None = None
        command = [str(runner), str(elf), mcu, str(clock_hz), str(self._report), *(str(address) for address in marks)]
        super().__init__(command, "simavr")

    @property
    def first_inference(self) -> InferenceCount:
        """What the first inference took. Raises `DeviceError` before there was one."""
        if self._first_inference is None and self._report.is_file():
            self._first_inference = _parse(json.loads(self._report.read_text()))
        if self._first_inference is None:
            raise DeviceError("The firmware on simavr has not finished an inference, so there are no cycles to read.")
        return self._first_inference

    def close(self) -> None:
        """Ends the emulation; what the first inference took can still be read. Closing twice does nothing."""
        super().close()
        if self._report.is_file():
            self._first_inference = self.first_inference
        self._folder.cleanup()


def build_runner() -> Path:
    """The runner's program, compiled on first use. Raises `MissingToolError` without a compiler or libsimavr."""
    compiler = find_compiler("cc")
    source = _SOURCE.read_text()

    def build(folder: Path) -> None:
        result = compiler.run([*_FLAGS, str(_SOURCE), "-o", "runner", *_LIBRARIES], folder)
        if result.returncode != 0:
            reason = first_error(result.stderr)
            if any(word in result.stderr for word in _MISSING):
                raise MissingToolError(f"libsimavr is not installed; install it with: {install_line('simavr')}")
            raise BuildError(f"The runner for simavr does not compile: {reason}")

    return cached_build(digest_of([compiler.path, compiler.version, *_FLAGS, *_LIBRARIES, source]), build) / "runner"


def _marks(elf: Path) -> tuple[int, int, int, int]:
    """The addresses of the marks around an inference, of the one before every kernel call, and of what fetches a row (0 in a build without)."""
    try:
        with elf.open("rb") as file:
            tables = [section for section in ELFFile(file).iter_sections() if isinstance(section, SymbolTableSection)]
            address = {symbol.name: int(symbol["st_value"]) for table in tables for symbol in table.iter_symbols()}
        around = address["lichen_mark_begin"], address["lichen_mark_end"]
        return *around, address.get("lichen_mark", 0), address.get("lichen_mark_row", 0)
    except (ELFError, OSError) as error:
        raise DeviceError(f"{elf} is not a firmware image ({error}): build it with this Lichen.") from None
    except KeyError as missing:
        raise DeviceError(f"{elf} has no function {missing.args[0]}: build it with this Lichen.") from None


def _parse(report: dict[str, Any]) -> InferenceCount:
    ops = tuple(Count(op["cycles"], op["instructions"]) for op in report["ops"])
    return InferenceCount(report["cycles"], report["instructions"], ops)
