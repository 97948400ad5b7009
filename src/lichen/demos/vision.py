"""Less memory than the largest layer: a small MobileNetV2 on a Cortex-M4, under every schedule of its front.

The network is trained here on 10,000 images of CIFAR-10 and quantised. Then the search gives the schedules that no other beats in
both memory and multiplications, from layer by layer to streamed in strips, and the one of the least memory whose input comes
row by row and that computes nothing twice. Each is compiled, classifies all test images
natively and some of them on the emulated chip, and has to give the bytes that the others and the interpreter give.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lichen.compiler import Compilation, analyze, compile_model
from lichen.data.cifar10 import Cifar10, load_cifar10
from lichen.demos.progress import ProgressBar, Remark
from lichen.device.count import Count, count_first
from lichen.device.executor import Progress, open_executor
from lichen.errors import MissingToolError, NoError
from lichen.ir.interpret import Interpreter
from lichen.ir.module import Module
from lichen.ir.samples import to_batch
from lichen.nn.quantize import quantize
from lichen.nn.tensors import to_tensor
from lichen.nn.train import accuracy, fit, predict
from lichen.nn.zoo import CIFAR_MOBILENET, CIFAR_MOBILENET_RECIPE, cifar_mobilenet
from lichen.plan.schedule import Schedule
from lichen.reading import from_torch
from lichen.report.arena import Point, draw_arena
from lichen.report.occupancy import occupancy_of
from lichen.targets.board import load_board
from lichen.targets.folder import open_folder

BOARD = "nano33ble"
CALIBRATION_IMAGES = 200
MOST_SCHEDULES = 8
EPOCHS = CIFAR_MOBILENET_RECIPE.epochs
CHIP_IMAGES = 32
NAME = "cifar_mobilenet"

Array = NDArray[Any]


@dataclass(frozen=True)
class Row:
    """One schedule. Bytes as linked; instructions emulated; milliseconds at the board's clock, from modelled cycles."""

    schedule: str
    arena: int
    ram: int
    flash: int | None
    macs: int
    instructions: int | None
    milliseconds: float | None
    images_native: int
    images_chip: int
    """How many images gave the same bytes as layer by layer, on the host and on the emulated chip."""


@dataclass(frozen=True)
class Result:
    """Accuracies on the test images, int8 natively on all of them and on the chip on its share; the schedules, least time first."""

    notation: str
    board: str
    accuracy_float: float
    accuracy_int8: float
    accuracy_chip: float | None
    schedules: list[Row]


def run(
    bar: ProgressBar,
    remark: Remark,
    out: Path | None = None,
    epochs: int = EPOCHS,
    chip_images: int = CHIP_IMAGES,
    draw: bool = True,
) -> Result:
    """Runs the demo; model folders and, with `draw`, the picture `arena.png` are written into `out` if that is given.

    Raises `NoError` if any output differs from another schedule's or from the interpreter's.
    """
    images = load_cifar10()
    test_x = _centred(images.test_x)
    module, accuracy_float = _network(images, test_x, epochs, bar, remark)
    resident = analyze(module, BOARD).schedules
    by_rows = analyze(module, BOARD, input_rows=True).schedules
    if out is not None and draw:
        _draw(module, resident, by_rows, out / "arena.png")
    x, _ = to_batch(test_x, module.infer.inputs[0], "images")
    with tempfile.TemporaryDirectory() as scratch:
        trials = _Trials(module, x, chip_images, out or Path(scratch), bar, remark)
        rows = [trials.row(schedule) for schedule in (*choose_few(resident), _least(by_rows))]
    return Result(
        notation=str(CIFAR_MOBILENET),
        board=BOARD,
        accuracy_float=accuracy_float,
        accuracy_int8=accuracy(trials.expected, images.test_y),
        accuracy_chip=accuracy(trials.expected[:chip_images], images.test_y[:chip_images]) if trials.has_chip else None,
        schedules=rows,
    )


class _Trials:
    """Compiles and runs one schedule after the other; `expected` is what the first gave natively for all images."""

    def __init__(
        self, module: Module, x: Array, chip_images: int, folder: Path, bar: ProgressBar, remark: Remark
    ) -> None:
        self.module, self.x, self.chip_images, self.folder = module, x, chip_images, folder
        self.bar, self.remark = bar, remark
        self.expected: Array = np.empty(0)
        self.has_chip = True

    def row(self, schedule: Schedule) -> Row:
        """What a schedule costs, after its outputs have been compared."""
        first = not len(self.expected)
        name = name_of(schedule)
        folder = self.folder / f"{name} {schedule.arena}".replace(" ", "_")
        compiled = compile_model(self.module, BOARD, folder, schedule=schedule)
        for note in compiled.notes:
            self.remark(f"{name}: {note}")
        with self.bar(f"{name}, {schedule.arena:,} bytes: on the host", len(self.x)) as progress:
            outputs = _run(compiled, "native", self.x, progress)
        if first:
            self.expected = outputs
            self._compare(name, "in Python", self._interpret(self.chip_images))
        self._compare(name, "on the host", outputs)
        count = self._chip(name, compiled)
        clock = compiled.board.clock_hz
        return Row(
            schedule=name,
            arena=compiled.arena,
            ram=compiled.ram,
            flash=compiled.flash,
            macs=compiled.macs,
            instructions=count.instructions,
            milliseconds=count.cycles / clock * 1e3 if count.cycles is not None else None,
            images_native=len(outputs),
            images_chip=self.chip_images if self.has_chip else 0,
        )

    def _chip(self, name: str, compiled: Compilation) -> Count:
        """The first images on the emulated chip, compared; and what one costs."""
        try:
            with self.bar(f"{name}, {compiled.arena:,} bytes: on the emulated chip", self.chip_images) as progress:
                outputs = _run(compiled, "qemu", self.x[: self.chip_images], progress)
            self._compare(name, "on the emulated chip", outputs)
            return count_first(open_folder(compiled.path), "qemu", [self.x[:1]])
        except MissingToolError as error:
            self.has_chip = False
            self.remark(f"{name}: {error}; not run on the emulated chip")
            return Count(None, None, None)

    def _interpret(self, count: int) -> Array:
        interpreter = Interpreter(self.module)
        with self.bar("int8 in Python", count) as progress:
            outputs = []
            for sample in self.x[:count]:
                outputs.append(interpreter.run([sample])[0])
                progress(1)
        return np.stack(outputs)

    def _compare(self, name: str, where: str, outputs: Array) -> None:
        if not np.array_equal(outputs, self.expected[: len(outputs)]):
            raise NoError(f"{NAME}, {name}, {where} does not give what the first schedule gives; please report this")


def _network(images: Cifar10, test_x: Array, epochs: int, bar: ProgressBar, remark: Remark) -> tuple[Module, float]:
    """The network trained and quantised, and the accuracy it had in float32."""
    train_x = _centred(images.train_x)
    with bar("training", epochs) as progress:
        recipe = replace(CIFAR_MOBILENET_RECIPE, epochs=epochs)
        model = fit(cifar_mobilenet(), train_x, images.train_y, recipe, lambda _: progress(1))
    remark(f"quantising, calibrated on {CALIBRATION_IMAGES} training images")
    calibration = to_tensor(train_x[:CALIBRATION_IMAGES])
    module = from_torch(quantize(model, calibration[:1], [calibration]), NAME)
    return module, accuracy(predict(model, test_x), images.test_y)


def _centred(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Pixels from 0 to 1 become -2 to 2, with a variance of about 1."""
    return images * np.float32(4) - np.float32(2)


def choose_few(front: Sequence[Schedule]) -> list[Schedule]:
    """All of a front, or so many that the demo remains short, the first and the last among them."""
    return [front[round(place)] for place in np.linspace(0, len(front) - 1, min(len(front), MOST_SCHEDULES))]


def name_of(schedule: Schedule) -> str:
    """What people call a schedule."""
    if schedule.input_rows:
        return "input by rows"
    if schedule.more_macs:
        return "in strips"
    return "streamed" if schedule.regions else "layer by layer"


def _least(front: Sequence[Schedule]) -> Schedule:
    """The least memory for which nothing is computed twice."""
    return [schedule for schedule in front if not schedule.more_macs][-1]


def _run(compiled: Compilation, on: str, x: Array, progress: Progress) -> Array:
    with open_executor(open_folder(compiled.path), on) as executor:
        return executor.run([x], progress)[0]


def _draw(module: Module, resident: Sequence[Schedule], by_rows: Sequence[Schedule], path: Path) -> None:
    core = load_board(BOARD).core
    arenas = {
        f"{name_of(schedule)}: {schedule.arena:,} bytes": occupancy_of(module.infer, core, schedule)
        for schedule in (resident[0], _least(resident), _least(by_rows))
    }
    points = [Point(schedule.macs, schedule.arena) for schedule in resident]
    draw_arena(path, f"{NAME}: {CIFAR_MOBILENET}", arenas, points)
