"""The sentence that says why a model does not fit a board."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from lichen.errors import DoesNotFitError
from lichen.targets.board import Board
from lichen.targets.folder import ModelFolder
from lichen.targets.size import ImageSize, read_symbols
from lichen.targets.toolchain import find_compiler

_SHOWN = 4


def too_large(size: ImageSize, board: Board, least_stack: int, model: ModelFolder | None) -> DoesNotFitError:
    """The error for an image of which `size` was measured by linking it into more memory than `board` has."""
    problems = []
    if size.flash > board.flash:
        prefix = model.weights_prefix if model else ""
        largest = _largest((s.name.removeprefix(prefix), s.bytes) for s in size.symbols if s.in_flash)
        problems.append(f"{_short('flash', size.flash, board.flash)} (largest: {largest})")
    need = size.ram + least_stack
    if need > board.ram:
        largest = _largest([*_ram_parts(size, model), ("stack", least_stack)])
        problems.append(f"{_short('RAM', need, board.ram)} (largest: {largest})")
    name = model.name if model else "the image"
    return DoesNotFitError(f"{name} does not fit {board.name}: {'; '.join(problems)}", size.flash)


def _ram_parts(size: ImageSize, model: ModelFolder | None) -> Iterable[tuple[str, int]]:
    """What lives in RAM, the firmware's one variable `device` taken apart into arena, state and the link's buffers."""
    for symbol in size.symbols:
        if symbol.in_ram and model is not None and symbol.name == "device":
            arena, state, decoded = (
                int(model.manifest.get(f"{key}_bytes", 0)) for key in ("arena", "state", "decoded")
            )
            link = symbol.bytes - arena - state - decoded
            yield from (("arena", arena), ("state", state), ("decoded weights", decoded), ("link", link))
        elif symbol.in_ram:
            yield symbol.name, symbol.bytes


def refuse_hopeless(model: ModelFolder, board: Board) -> None:
    """Raises `DoesNotFitError` if already the manifest says that the model does not fit: its tables alone, or its arena and state.

    For networks so large that they cannot be compiled for the board's core: on AVR no array exceeds 32 KiB and no address 64 KiB.
    """
    keys = "weights", "arena", "state", "decoded"
    weights, arena, state, decoded = (int(model.manifest.get(f"{key}_bytes", 0)) for key in keys)
    problems = []
    if weights > board.flash:
        problems.append(f"{_short('flash', weights, board.flash)} for the weights alone{_largest_tables(model)}")
    if arena + state + decoded > board.ram:
        weights_too = f", decoded weights {decoded:,}" if decoded else ""
        problems.append(
            f"{_short('RAM', arena + state + decoded, board.ram)} (arena {arena:,}, state {state:,}{weights_too}, and no stack yet)"
        )
    if problems:
        raise DoesNotFitError(f"{model.name} does not fit {board.name}: {'; '.join(problems)}")


def _short(memory: str, need: int, have: int) -> str:
    return f"{memory} is {need - have:,} bytes short, it has {have:,} and {need:,} are needed"


def _largest(parts: Iterable[tuple[str, int]]) -> str:
    ordered = sorted(parts, key=lambda part: (-part[1], part[0]))[:_SHOWN]
    return ", ".join(f"{name} {bytes_:,}" for name, bytes_ in ordered if bytes_)


def _largest_tables(model: ModelFolder) -> str:
    """The largest tables, measured with the host's compiler, which gives tables the same sizes; nothing without one."""
    if shutil.which("cc") is None:
        return ""
    with tempfile.TemporaryDirectory() as folder:
        result = find_compiler("cc").run(
            ["-std=c99", "-O1", "-c", str(model.source.resolve()), "-o", "model.o"], Path(folder)
        )
        if result.returncode != 0:
            return ""
        symbols = read_symbols(Path(folder) / "model.o")
    prefix = model.weights_prefix
    tables = [(s.name.removeprefix(prefix), s.bytes) for s in symbols if s.name.startswith(prefix)]
    return f" (largest: {_largest(tables)})" if tables else ""
