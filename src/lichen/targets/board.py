"""Boards: one TOML file each in `boards/`."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from lichen.errors import InputError
from lichen.ir.kernel import Core
from lichen.targets.core import PROCESSORS

_FOLDER = Path(__file__).parent / "boards"
_T = TypeVar("_T", str, int)


@dataclass(frozen=True)
class Emulator:
    """The emulated machine that stands for a board: `kind` is `qemu` or `simavr`, `machine` a key of `machine.MACHINES`."""

    kind: str
    machine: str


@dataclass(frozen=True)
class Board:
    """What code for a board has to fit into. `ram` and `flash` are bytes a program may use: a boot loader's share is not in them."""

    name: str
    title: str
    core: Core
    clock_hz: int
    ram: int
    flash: int
    emulator: Emulator | None = None


@cache
def board_names() -> tuple[str, ...]:
    """The names of all boards, sorted."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


def all_boards() -> list[Board]:
    """All boards, by name."""
    return [load_board(name) for name in board_names()]


@cache
def load_board(name: str) -> Board:
    """The board called `name`; an `InputError` that lists the known ones if there is none."""
    names = board_names()
    if name not in names:
        near = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}? " if near else ""
        raise InputError(f"unknown board {name!r}: {hint}Lichen knows {', '.join(names)}")
    path = _FOLDER / f"{name}.toml"
    return parse_board(name, path.read_text("utf-8"), str(path))


def parse_board(name: str, text: str, where: str) -> Board:
    """A board from the text of its TOML file; `where` is the file's name for errors (`InputError`)."""
    try:
        fields = tomllib.loads(text)
        core, emulator = _take(fields, "core", str), fields.pop("emulator", None)
        if core not in PROCESSORS:
            raise ValueError(f"unknown core {core!r}, use one of {', '.join(PROCESSORS)}")
        board = Board(
            name=name,
            title=_take(fields, "title", str),
            core=PROCESSORS[core].core,
            clock_hz=_take(fields, "clock_hz", int),
            ram=_take(fields, "ram", int),
            flash=_take(fields, "flash", int),
            emulator=_emulator(emulator) if emulator is not None else None,
        )
        if fields:
            raise ValueError(f"unknown key {min(fields)!r}")
    except ValueError as error:  # includes tomllib.TOMLDecodeError
        raise InputError(f"board file {where} is not usable: {error}") from error
    return board


def _emulator(fields: Any) -> Emulator:
    if not isinstance(fields, dict):
        raise ValueError("'emulator' is not a table with kind and machine")
    kind, machine = _take(fields, "kind", str), _take(fields, "machine", str)
    if kind not in ("qemu", "simavr"):
        raise ValueError(f"unknown emulator {kind!r}, use qemu or simavr")
    return Emulator(kind, machine)


def _take(fields: dict[str, Any], key: str, kind: type[_T]) -> _T:
    value = fields.pop(key, None)
    if type(value) is not kind or not value or (isinstance(value, int) and value < 0):
        raise ValueError(f"{key!r} is missing or not {'a number of at least 1' if kind is int else 'a text'}")
    return value
