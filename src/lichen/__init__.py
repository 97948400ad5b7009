"""Lichen compiles a network to C for a microcontroller and proves it right before it is flashed.

>>> import lichen
>>> module = lichen.load("model.tflite")
>>> built = lichen.compile(module, board="nano33ble", out="build/model")
>>> with lichen.connect("build/model", on="qemu") as device:
...     outputs = device.infer(samples)
"""

__version__ = "0.1.0"

from pathlib import Path as _Path

from lichen.compiler import Analysis, Compilation, analyze
from lichen.compiler import compile_model as _compile_model
from lichen.compressing import compress, train
from lichen.errors import LichenError
from lichen.ir.interpret import Interpreter
from lichen.ir.module import Module
from lichen.learning.learner import Learning
from lichen.reading import StaysFloatWarning, from_torch, load
from lichen.running import Device
from lichen.targets.folder import open_folder as _open_folder

__all__ = [
    "Analysis",
    "Compilation",
    "Device",
    "Interpreter",
    "Learning",
    "LichenError",
    "Module",
    "StaysFloatWarning",
    "analyze",
    "compile",
    "compress",
    "connect",
    "from_torch",
    "load",
    "train",
]


def compile(
    module: Module,
    board: str,
    out: str | _Path,
    optimize: str = "speed",
    schedule: str | None = None,
    ram: int | None = None,
    input_rows: bool = False,
    learning: Learning | None = None,
    rows_again: bool = False,
    flash: int | None = None,
) -> Compilation:
    """Writes the folder `out` with the C of `module` for `board`, linked and measured. See `lichen.compiler.compile_model`."""
    return _compile_model(module, board, _Path(out), optimize, schedule, ram, input_rows, learning, rows_again, flash)


def connect(folder: str | _Path, on: str = "native") -> Device:
    """Runs what `compile` wrote on `native`, `qemu`, `simavr` or a serial port; a context manager."""
    return Device(_open_folder(_Path(folder)), on)
