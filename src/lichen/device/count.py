"""What an inference costs on an emulated chip: as a whole, or operator by operator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lichen.device.connect import connect
from lichen.device.session import Session
from lichen.errors import InputError
from lichen.ir.module import Array
from lichen.targets.blocks import BlockCounter
from lichen.targets.board import Board, load_board
from lichen.targets.build import Firmware, Mark, build_firmware
from lichen.targets.folder import ModelFolder
from lichen.targets.profiler import Profile, count_window, profile_qemu, profile_simavr
from lichen.targets.simavr import InferenceCount, Simavr


@dataclass(frozen=True)
class Count:
    """One inference. `None` where nothing is there to count with; `cycles_are` is `modelled` or `emulated`."""

    instructions: int | None
    cycles: int | None
    cycles_are: str | None


def count_first(model: ModelFolder, on: str, sample: Sequence[Array]) -> Count:
    """Instructions and cycles of one inference of `sample`, arrays `(1, *shape)`, on a freshly started emulator.

    The host and a board on a serial port count nothing.
    """
    return _count(model, on, lambda session: session.infer([x[0] for x in sample]))


def count_lesson(model: ModelFolder, on: str, sample: Sequence[Array]) -> Count:
    """The same of one call of `learn` with `sample`, arrays `(1, *shape)`, the target last."""
    return _count(model, on, lambda session: session.learn(sample))


def _count(model: ModelFolder, on: str, work: Callable[[Session], object]) -> Count:
    if on not in ("qemu", "simavr"):
        return Count(None, None, None)
    board = _emulated_board(model, on)
    firmware = build_firmware(model, board)
    if on == "simavr":
        first = _count_simavr(model, firmware, work)
        return Count(first.instructions, first.cycles, "emulated")
    with BlockCounter(firmware.elf) as counter:
        with connect(model, firmware, counter.options) as session:
            work(session)
        cost = count_window(counter.intervals(), firmware.elf, board.core)
    return Count(cost.instructions, cost.cycles, cost.cycles_are)


def profile(model: ModelFolder, on: str, sample: Sequence[Array] | None = None, function: str = "infer") -> Profile:
    """What each operator costs in one call of `function` with `sample` (zeros if not given), on a freshly started emulator.

    Raises `InputError` for anything but the emulator of the board the model was compiled for, or a function that it does not have.
    """
    described = model.function(function)
    board = _emulated_board(model, on)
    firmware = build_firmware(model, board, Mark.PROFILE)
    inputs = sample or [np.zeros((1, *t["shape"]), t["dtype"]) for t in described["inputs"]]

    def work(session: Session) -> None:
        if function == "infer":
            session.infer([x[0] for x in inputs])
        else:
            session.learn(inputs)

    if on == "simavr":
        return profile_simavr(_count_simavr(model, firmware, work), described["ops"])
    with BlockCounter(firmware.elf) as counter:
        with connect(model, firmware, counter.options) as session:
            work(session)
        return profile_qemu(counter.intervals(), firmware.elf, board.core, described["ops"])


def _count_simavr(model: ModelFolder, firmware: Firmware, work: Callable[[Session], object]) -> InferenceCount:
    simavr = Simavr(firmware.elf, clock_hz=firmware.board.clock_hz)
    with Session(simavr, model.manifest) as session:
        work(session)
        return simavr.first_inference


def _emulated_board(model: ModelFolder, on: str) -> Board:
    board = load_board(model.board)
    kind = board.emulator.kind if board.emulator is not None else None
    if on not in ("qemu", "simavr") or kind != on:
        raise InputError(
            f"{model.name} was compiled for {board.name}, which is counted on {kind or 'no emulator'}; not on {on}"
        )
    return board
