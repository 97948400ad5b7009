"""What a demonstration asks of an emulated chip: the interpreter's results, and the time of an inference."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from lichen.compiler import Compilation
from lichen.demos.progress import Remark
from lichen.device.count import count_first
from lichen.device.validate import validate
from lichen.errors import MissingToolError, NoError
from lichen.targets.folder import open_folder

CHIP_SAMPLES = 10


def require_same(compiled: Compilation, on: str, x: NDArray[Any]) -> None:
    """Raises `NoError` unless each operator gives on `on` what the interpreter does, for the first samples of the batch `x`."""
    difference = validate(open_folder(compiled.path), on, [x[:CHIP_SAMPLES]])
    if difference is not None:
        raise NoError(
            f"{compiled.name} on {on} differs from Python first in operator {difference.op}; please report this"
        )


def on_chip(compiled: Compilation, x: NDArray[Any], remark: Remark) -> tuple[bool | None, float | None]:
    """Whether the emulated chip agrees, and the milliseconds of an inference on it; `None` where a tool for that is missing."""
    board = compiled.board
    assert board.emulator is not None
    try:
        require_same(compiled, board.emulator.kind, x)
        count = count_first(open_folder(compiled.path), board.emulator.kind, [x[:1]])
    except MissingToolError as error:
        remark(f"{compiled.name}: {error}; going on without the chip")
        return None, None
    return True, None if count.cycles is None else count.cycles / board.clock_hz * 1e3
