"""Handwritten digits on two chips: a convolutional network on a Cortex-M4, a dense one on an 8-bit AVR.

Everything is real and nothing is prepared: the networks are trained here, quantised, compiled, validated byte by byte against the
interpreter, and the whole test part is classified by the firmware on the emulated chip.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from lichen.compiler import Compilation, compile_model
from lichen.data.digits import Digits, load_digits, shrink
from lichen.demos.progress import ProgressBar, Remark
from lichen.device.count import Count, count_first
from lichen.device.executor import open_executor
from lichen.device.validate import validate
from lichen.errors import MissingToolError, NoError
from lichen.ir.interpret import Interpreter
from lichen.ir.module import Module
from lichen.ir.samples import to_batch
from lichen.nn.quantize import quantize
from lichen.nn.tensors import to_tensor
from lichen.nn.train import Recipe, accuracy, fit, predict
from lichen.nn.zoo import DIGITS_CNN, DIGITS_MLP, digits_cnn, digits_mlp
from lichen.reading import from_torch
from lichen.targets.folder import open_folder

CALIBRATION_SAMPLES = 200
VALIDATION_SAMPLES = 32


@dataclass(frozen=True)
class Stage:
    """One line of the demo's table. RAM and flash in bytes as linked; milliseconds at the board's clock."""

    stage: str
    board: str | None
    accuracy: float
    ram: int | None = None
    flash: int | None = None
    instructions: int | None = None
    cycles: int | None = None
    milliseconds: float | None = None
    fits: bool | None = None


@dataclass(frozen=True)
class Network:
    """A network, how to train it, what it sees of a digit, and the board it is for."""

    name: str
    board: str
    build: Callable[[], nn.Module]
    recipe: Recipe
    shrink: int


NETWORKS = (
    Network("digits_cnn", "nano33ble", digits_cnn, DIGITS_CNN, shrink=1),
    Network("digits_mlp", "uno", digits_mlp, DIGITS_MLP, shrink=2),
)


def run(bar: ProgressBar, remark: Remark, keep: Path | None = None) -> list[Stage]:
    """Runs the demo; model folders are written below `keep` if that is given.

    Raises `NoError` if any output differs from the interpreter's.
    """
    digits = load_digits()
    with tempfile.TemporaryDirectory() as scratch:
        folder = keep or Path(scratch)
        return [stage for network in NETWORKS for stage in _network(network, digits, folder, bar, remark)]


def _network(network: Network, digits: Digits, folder: Path, bar: ProgressBar, remark: Remark) -> list[Stage]:
    train_x, test_x = (shrink(x, network.shrink) for x in (digits.train_x, digits.test_x))
    with bar(f"{network.name}: training", network.recipe.epochs) as progress:
        model = fit(network.build(), train_x, digits.train_y, network.recipe, lambda _: progress(1))
    float_accuracy = accuracy(predict(model, test_x), digits.test_y)

    remark(f"{network.name}: quantising, calibrated on {CALIBRATION_SAMPLES} training digits")
    calibration = to_tensor(train_x[:CALIBRATION_SAMPLES])
    module = from_torch(quantize(model, calibration[:1], [calibration]), network.name)

    remark(f"{network.name}: compiling for {network.board}")
    compiled = compile_model(module, network.board, folder / network.name)
    for note in compiled.notes:
        remark(f"{network.name}: {note}")
    x, _ = to_batch(test_x, module.infer.inputs[0], "digits")
    with bar(f"{network.name}: int8 in Python", len(x)) as progress:
        python = _interpret(module, x, progress)
    emulator = compiled.board.emulator.kind if compiled.board.emulator is not None else "native"
    _validate(compiled, "native", x, bar)
    chip, on = _on_chip(compiled, emulator, x, bar, remark)
    if not np.array_equal(chip.outputs, python):
        raise NoError(f"{network.name} on {on} does not give what Python gives; please report this")
    int8_accuracy = accuracy(python, digits.test_y)
    return [
        Stage(f"{network.name} float", None, float_accuracy),
        Stage(f"{network.name} int8 in Python", None, int8_accuracy),
        Stage(
            f"{network.name} int8 on {'the chip' if on == emulator else 'the host'}",
            network.board,
            accuracy(chip.outputs, digits.test_y),
            compiled.ram,
            compiled.flash,
            chip.count.instructions,
            chip.count.cycles,
            chip.count.cycles / compiled.board.clock_hz * 1e3 if chip.count.cycles is not None else None,
            compiled.fits,
        ),
    ]


@dataclass(frozen=True)
class _Chip:
    outputs: NDArray[Any]
    count: Count


def _on_chip(
    compiled: Compilation, emulator: str, x: NDArray[Any], bar: ProgressBar, remark: Remark
) -> tuple[_Chip, str]:
    """The whole test part on the emulated chip, or natively where a tool for that is missing; and where it was."""
    try:
        _validate(compiled, emulator, x, bar)
        return _classify(compiled, emulator, x, bar), emulator
    except MissingToolError as error:
        remark(f"{compiled.name}: {error}; going on with native")
        return _classify(compiled, "native", x, bar), "native"


def _classify(compiled: Compilation, on: str, x: NDArray[Any], bar: ProgressBar) -> _Chip:
    model = open_folder(compiled.path)
    with bar(f"{compiled.name}: classifying on {on}", len(x)) as progress, open_executor(model, on) as executor:
        outputs = executor.run([x], progress)[0]
    return _Chip(outputs, count_first(model, on, [x[:1]]))


def _validate(compiled: Compilation, on: str, x: NDArray[Any], bar: ProgressBar) -> None:
    samples = x[:VALIDATION_SAMPLES]
    with bar(f"{compiled.name}: validating on {on}", len(samples)) as progress:
        difference = validate(open_folder(compiled.path), on, [samples], progress)
    if difference is not None:
        raise NoError(
            f"{compiled.name} on {on} differs from Python first in operator {difference.op}; please report this"
        )


def _interpret(module: Module, x: NDArray[Any], progress: Callable[[int], None]) -> NDArray[Any]:
    interpreter, rows = Interpreter(module), []
    for sample in x:
        rows.append(interpreter.run([sample])[0])
        progress(1)
    return np.stack(rows)
