"""The fastest kernels within a budget of flash: which layers get a copy of their kernel that is specialised to them.

Nothing is estimated. The model is linked with all kernels shared and with all specialised, and both are profiled on the board's emulator. What
each layer's copy takes of flash, and saves of time, is then known, and which to choose is a knapsack problem, small enough to be solved
exactly. What has been chosen is linked; were it too large after all, for functions are aligned and shared parts come and go, the budget is
cut by the excess, and so on.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lichen.backend.emit import Sources, emit
from lichen.backend.folder import write_folder
from lichen.backend.program import Program
from lichen.device.count import profile
from lichen.errors import DoesNotFitError, MissingToolError
from lichen.targets.board import Board
from lichen.targets.build import build_firmware
from lichen.targets.folder import open_folder
from lichen.targets.machine import machine_of
from lichen.targets.size import ImageSize


@dataclass(frozen=True)
class Kernels:
    """What `emit` is told. `notes` say what could not be measured."""

    optimize: str
    specialised: frozenset[str] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Item:
    """Operations that are specialised together: those of one step."""

    operations: frozenset[str]
    bytes: int
    saved: int
    """Cycles, or instructions where there is no model of cycles; multiplications where there is no emulator."""


def fastest_within(program: Program, board: Board, budget: int) -> Kernels:
    """The choice whose image takes at most `budget` bytes of flash, weights included; `size` if nothing else does, which may be too large.

    Raises `MissingToolError` without the board's compiler.
    """
    with suppress(DoesNotFitError):
        if _linked(program, board, "speed", None)[0].flash <= budget:
            return Kernels("speed")
    if board.core.has("avr"):  # every call is specialised there, or its params would take RAM
        return Kernels("size")
    board = replace(board, flash=machine_of(board).flash.bytes)  # all that can be linked
    shared, _ = _linked(program, board, "speed", ())
    if shared.flash > budget:
        return Kernels("size")
    names = {op.name for planned in program.functions.values() for op in planned.function.operations}
    special, sources = _linked(program, board, "speed", names)
    items, notes = _items(program, board, names, special, sources)
    room = budget - shared.flash
    while True:
        chosen = frozenset[str]().union(*(item.operations for item in knapsack(items, room)))
        excess = _linked(program, board, "speed", chosen)[0].flash - budget
        if excess <= 0:
            return Kernels("speed", chosen, notes)
        room -= excess
        if room <= 0:
            return Kernels("speed", frozenset(), notes)


def _linked(
    program: Program, board: Board, optimize: str, specialised: Collection[str] | None
) -> tuple[ImageSize, Sources]:
    sources = emit(program, optimize, specialised)
    with tempfile.TemporaryDirectory() as folder:
        write_folder(Path(folder), program, sources, board.name, optimize)
        return build_firmware(open_folder(Path(folder)), board).size, sources


def _items(
    program: Program, board: Board, names: Collection[str], special: ImageSize, sources: Sources
) -> tuple[list[Item], tuple[str, ...]]:
    """What each step of `infer` would gain. Functions that learn keep the kernels they share."""
    size = {symbol.name: symbol.bytes for symbol in special.symbols}
    steps = [frozenset(op.name for op in step.operations) for step in program.infer.steps]
    takes = [
        sum(size.get(function, 0) for function in {sources.functions[n] for n in step if n in sources.functions})
        for step in steps
    ]
    saved, notes = _saved(program, board, names)
    return [Item(*item) for item in zip(steps, takes, saved, strict=True)], notes


def _saved(program: Program, board: Board, names: Collection[str]) -> tuple[Sequence[int], tuple[str, ...]]:
    try:
        slow, fast = (_profiled(program, board, specialised) for specialised in ((), names))
    except (MissingToolError, DoesNotFitError) as error:
        note = f"what each layer gains was not measured, the largest were specialised first: {error}"
        return [step.macs for step in program.infer.steps], (note,)
    return [a - b for a, b in zip(slow, fast, strict=True)], ()


def _profiled(program: Program, board: Board, specialised: Collection[str]) -> list[int]:
    emulator = board.emulator.kind if board.emulator is not None else "none"
    with tempfile.TemporaryDirectory() as folder:
        # With the flash that the board has, because the emulator has no more.
        write_folder(Path(folder), program, emit(program, "speed", specialised), board.name, "speed")
        ops = profile(open_folder(Path(folder)), emulator).ops
    return [op.instructions if op.cycles is None else op.cycles for op in ops]


def knapsack(items: Sequence[Item], room: int) -> list[Item]:
    """The items of most saved time that take at most `room` bytes, by dynamic programming over the bytes."""
    best = np.zeros(room + 1, np.int64)
    taken = np.zeros((len(items), room + 1), bool)
    for index, item in enumerate(items):
        if item.saved <= 0 or item.bytes > room:
            continue
        with_it = best[: room + 1 - item.bytes] + item.saved
        better = with_it > best[item.bytes :]
        taken[index, item.bytes :] = better
        best[item.bytes :] = np.where(better, with_it, best[item.bytes :])
    chosen = []
    for index in reversed(range(len(items))):
        if taken[index, room]:
            chosen.append(items[index])
            room -= items[index].bytes
    return chosen
