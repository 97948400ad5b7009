"""The fastest kernels within a budget of flash: which layers get a copy of their kernel that is specialised to them.

Nothing is estimated. At each of two levels of the compiler the model is linked with all kernels shared and with all specialised, and both are profiled on the board's emulator, so
that it is known what each layer's copy takes of flash and saves of time, and what the copy for many layers takes, which is needed unless all
layers of its kind are specialised. Which to choose is a knapsack problem, small enough to be solved exactly. What has been chosen is linked;
were it too large after all, for functions are aligned and parts of them are shared, the budget is cut by the excess, and so on.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lichen.backend.emit import Sources, emit
from lichen.backend.folder import write_folder
from lichen.backend.program import Program
from lichen.device.count import profile
from lichen.errors import DoesNotFitError, MissingToolError
from lichen.kernels import Kernels, kernels_for
from lichen.targets.board import Board
from lichen.targets.build import build_firmware
from lichen.targets.folder import open_folder
from lichen.targets.machine import machine_of

LEVELS = ("speed", "balanced")
"""How far the compiler goes, the fastest first, with the same loops."""


@dataclass(frozen=True)
class Item:
    """Operations that are specialised together, those of one step: bytes of flash, and cycles saved.

    Instructions stand in where there is no model of cycles, multiplications where there is no emulator.
    """

    operations: frozenset[str]
    bytes: int
    saved: int


@dataclass(frozen=True)
class Group:
    """Steps that call the same kernel. Unless all of them are specialised, the copy for many layers takes `shared` bytes."""

    shared: int
    items: tuple[Item, ...]


@dataclass(frozen=True)
class _Build:
    flash: int
    sources: Sources
    symbols: Mapping[str, int]

    def bytes_of(self, operations: Collection[str]) -> dict[str, int]:
        """The functions that call the kernels of operations, and their bytes."""
        functions = (self.sources.functions[name] for name in operations if name in self.sources.functions)
        return {function: self.symbols.get(function, 0) for function in functions}


def fastest_within(program: Program, board: Board, budget: int) -> Kernels:
    """The kernels whose image takes at most `budget` bytes of flash, weights included; those for size if no others do, which may be too large.

    Raises `MissingToolError` without the board's compiler.
    """
    with suppress(DoesNotFitError):
        if _built(program, board, "speed", None).flash <= budget:
            return kernels_for("speed", board)
    if board.core.has("avr"):  # there is but one way there
        return kernels_for("size", board)
    roomy = replace(board, flash=machine_of(board).flash.bytes)  # all that can be linked
    found = [choice for optimize in LEVELS if (choice := _chosen(program, roomy, board, budget, optimize)) is not None]
    return min(found, key=lambda choice: choice[0])[1] if found else kernels_for("size", board)


def _chosen(program: Program, roomy: Board, board: Board, budget: int, optimize: str) -> tuple[int, Kernels] | None:
    """What is fastest at one level, and its cycles; `None` if nothing fits."""
    names = {op.name for planned in program.functions.values() for op in planned.function.operations}
    shared, special = _built(program, roomy, optimize, ()), _built(program, roomy, optimize, names)
    times, notes = _times(program, board, optimize, names)
    if _built(program, roomy, optimize, None).flash <= budget:  # where the compiler inlines each copy into its caller
        return sum(fast for _, fast in times), Kernels(optimize, None, notes)
    groups = _groups(program, shared, special, times)
    room = budget - special.flash + sum(special.bytes_of(names).values())
    while (chosen := knapsack(groups, room)) is not None:
        operations = frozenset[str]().union(*(item.operations for item in chosen))
        excess = _built(program, roomy, optimize, operations).flash - budget
        if excess <= 0:
            cycles = sum(slow for slow, _ in times) - sum(item.saved for item in chosen)
            return cycles, Kernels(optimize, operations, notes)
        room -= excess
    return None


def _built(program: Program, board: Board, optimize: str, specialised: Collection[str] | None) -> _Build:
    sources = emit(program, optimize, specialised)
    with tempfile.TemporaryDirectory() as folder:
        write_folder(Path(folder), program, sources, board.name, optimize)
        size = build_firmware(open_folder(Path(folder)), board).size
    return _Build(size.flash, sources, {symbol.name: symbol.bytes for symbol in size.symbols})


def _groups(program: Program, shared: _Build, special: _Build, times: Sequence[tuple[int, int]]) -> list[Group]:
    """What each step of `infer` would gain. What other functions do beside is done by the kernels for many layers."""
    found: dict[tuple[str, ...], list[Item]] = {}
    copies: dict[str, int] = {}
    for step, (slow, fast) in zip(program.infer.steps, times, strict=True):
        operations = frozenset(op.name for op in step.operations)
        copy = shared.bytes_of(operations)
        copies |= copy
        item = Item(operations, sum(special.bytes_of(operations).values()), slow - fast)
        found.setdefault(tuple(sorted(copy)), []).append(item)
    return [Group(sum(copies[name] for name in key), tuple(items)) for key, items in found.items()]


def _times(
    program: Program, board: Board, optimize: str, names: Collection[str]
) -> tuple[list[tuple[int, int]], tuple[str, ...]]:
    """Cycles of each step with the kernel for many layers and with its own."""
    try:
        slow, fast = (_profiled(program, board, optimize, specialised) for specialised in ((), names))
    except (MissingToolError, DoesNotFitError) as error:
        note = f"what each layer gains was not measured, the largest were specialised first: {error}"
        return [(2 * step.macs, step.macs) for step in program.infer.steps], (note,)
    return list(zip(slow, fast, strict=True)), ()


def _profiled(program: Program, board: Board, optimize: str, specialised: Collection[str]) -> list[int]:
    """Cycles of each step, with the flash that the board has, because its emulator may have no more."""
    emulator = board.emulator.kind if board.emulator is not None else "none"
    with tempfile.TemporaryDirectory() as folder:
        write_folder(Path(folder), program, emit(program, optimize, specialised), board.name, optimize)
        ops = profile(open_folder(Path(folder)), emulator).ops
    return [op.instructions if op.cycles is None else op.cycles for op in ops]


_IMPOSSIBLE = -(1 << 60)


def knapsack(groups: Sequence[Group], room: int) -> list[Item] | None:
    """The items of most saved time that take at most `room` bytes, copies for many layers included; `None` if there is no room for those.

    By dynamic programming over the bytes, group by group: all of its items without a copy, or some of them with one.
    """
    if room < 0:
        return None
    best = np.zeros(room + 1, np.int64)
    steps = []
    for group in groups:
        everything = _moved(best, sum(item.bytes for item in group.items)) + sum(item.saved for item in group.items)
        some, taken = _moved(best, group.shared), []
        for item in group.items:
            with_it = _moved(some, item.bytes) + item.saved
            taken.append(with_it > some)
            some = np.maximum(some, with_it)
        steps.append((everything >= some, taken))
        best = np.maximum(everything, some)
    if best[room] < 0 and best[room] <= _IMPOSSIBLE // 2:
        return None
    chosen: list[Item] = []
    for group, (is_everything, taken) in zip(reversed(groups), reversed(steps), strict=True):
        if is_everything[room]:
            chosen += group.items
            room -= sum(item.bytes for item in group.items)
            continue
        for item, is_taken in zip(reversed(group.items), reversed(taken), strict=True):
            if is_taken[room]:
                chosen.append(item)
                room -= item.bytes
        room -= group.shared
    return chosen


def _moved(best: NDArray[np.int64], by: int) -> NDArray[np.int64]:
    """What was best with so many bytes less."""
    moved = np.full_like(best, _IMPOSSIBLE)
    if by < len(best):
        moved[by:] = best[: len(best) - by]
    return moved
