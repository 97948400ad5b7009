"""What each function of a model that learns costs, before anything is flashed: planned, linked, and counted on the board's emulator."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lichen.backend.emit import emit
from lichen.backend.folder import write_folder
from lichen.backend.program import PlannedFunction, Program, place_state
from lichen.device.count import count_first, count_lesson
from lichen.ir.module import Array, Module
from lichen.kernels import Kernels
from lichen.targets.board import Board
from lichen.targets.build import build_firmware
from lichen.targets.folder import ModelFolder, open_folder


@dataclass(frozen=True)
class FunctionCost:
    """One function, in bytes, and of one call with zeros; `None` where the tool that would tell is not installed.

    `arena` is what the function itself needs while it runs. `state` and `flash` of `infer` are those of a model that only infers and
    saves nothing, those of `learn` are what learning adds, the code that saves and flash set apart for what is saved included. `cycles_are` is `modelled` or `emulated`.
    """

    name: str
    macs: int
    arena: int
    state: int
    flash: int | None = None
    instructions: int | None = None
    cycles: int | None = None
    cycles_are: str | None = None


def planned_costs(program: Program) -> tuple[FunctionCost, ...]:
    """What is known without a compiler of `infer` and `learn`; nothing of a model that does not learn."""
    if not program.others:
        return ()
    alone = _without_others(program).state_bytes
    states = {"infer": alone, "learn": program.state_bytes - alone}
    return tuple(
        FunctionCost(name, planned.macs, planned.plan.peak, states[name]) for name, planned in program.functions.items()
    )


def linked_costs(program: Program, kernels: Kernels, board: Board, flash: int) -> tuple[FunctionCost, ...]:
    """The same with the flash that each takes, where the image for `board` takes `flash` bytes."""
    if not program.others:
        return ()
    with tempfile.TemporaryDirectory() as scratch:
        alone = _without_others(program)
        write_folder(
            Path(scratch), alone, emit(alone, kernels.optimize, kernels.specialised), board.name, kernels.optimize
        )
        without = build_firmware(open_folder(Path(scratch)), board, saves=False).size.flash
    taken = {"infer": without, "learn": flash - without}
    return tuple(replace(cost, flash=taken[cost.name]) for cost in planned_costs(program))


def counted(
    costs: Sequence[FunctionCost], program: Program, model: ModelFolder, board: Board
) -> tuple[FunctionCost, ...]:
    """The same with instructions and cycles. Raises `MissingToolError` without the emulator."""
    emulator = board.emulator.kind if board.emulator is not None else "none"
    count = {"infer": count_first, "learn": count_lesson}
    found = []
    for cost in costs:
        one = count[cost.name](model, emulator, _zeros(program.functions[cost.name]))
        found.append(replace(cost, instructions=one.instructions, cycles=one.cycles, cycles_are=one.cycles_are))
    return tuple(found)


def _without_others(program: Program) -> Program:
    """The program that only infers."""
    module = Module(program.module.name, {"infer": program.infer.function})
    return Program(module, {"infer": program.infer}, place_state(module), program.coding)


def _zeros(planned: PlannedFunction) -> list[Array]:
    return [np.zeros((1, *v.type.shape), v.type.dtype.numpy) for v in planned.function.inputs]
