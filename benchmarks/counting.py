"""One inference counted on a board's emulator: of a model that Lichen compiles, and of C that someone else has written.

Both are linked by Lichen with the same start-up code, compiler flags and library, run under `-icount shift=0`, and get the same input:
byte i of input k is ((i * 37 + 11 + 101 * k) % 256) - 128. Instructions are emulated, cycles modelled (on AVR emulated).
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lichen.compiler import Compilation, compile_model
from lichen.device.connect import connect
from lichen.errors import DeviceError
from lichen.ir.module import Array, Module
from lichen.targets.blocks import BlockCounter
from lichen.targets.board import Board, load_board
from lichen.targets.build import Firmware, Source, build_firmware, build_image
from lichen.targets.folder import open_folder
from lichen.targets.machine import machine_of
from lichen.targets.profiler import InferenceCost, count_window
from lichen.targets.qemu import Qemu

_MAIN = Path(__file__).with_name("peer_main.c")
_SECONDS = 300.0  # a busy host emulates ten million instructions a second and more


@dataclass(frozen=True)
class Counted:
    """The bytes of the first output, and what they cost."""

    output: Array
    cost: InferenceCost
    firmware: Firmware


@dataclass(frozen=True)
class ForeignCode:
    """C that defines `peer_infer(input 0, last input, output)` and includes `peer.h`, with the flags beyond those of the target."""

    sources: tuple[Path, ...]
    include: tuple[Path, ...]
    flags: tuple[str, ...]
    inputs: int
    input_bytes: int
    output_bytes: int


def sample(module: Module) -> list[Array]:
    """The inputs of all comparisons, `(1, *shape)` and int8."""
    return [_bytes(k, v.type.elements).reshape(v.type.shape) for k, v in enumerate(module.infer.inputs)]


def _bytes(k: int, count: int) -> Array:
    return ((np.arange(count) * 37 + 11 + 101 * k) % 256 - 128).astype(np.int8)


def count_lichen(module: Module, board: str, optimize: str = "speed") -> tuple[Compilation, Counted]:
    """Compiles `module` for `board` and counts one inference on its emulator."""
    with tempfile.TemporaryDirectory() as folder:
        built = compile_model(module, board, Path(folder) / "model", optimize)
        model, inputs = open_folder(built.path), sample(module)
        firmware = build_firmware(model, built.board)
        with BlockCounter(firmware.elf) as counter:
            with connect(model, firmware, counter.options) as session:
                output = session.infer([x.reshape(slot.shape) for x, slot in zip(inputs, session.inputs, strict=True)])[
                    0
                ]
            cost = count_window(counter.intervals(), firmware.elf, built.board.core)
    return built, Counted(output.ravel(), cost, firmware)


def count_foreign(code: ForeignCode, board: str) -> Counted:
    """Links `code` for `board` and counts one inference on its emulator. Raises `DeviceError` if it does not come to an end."""
    target = load_board(board)
    firmware = build_image(
        [Source(_MAIN), *(Source(path, code.flags) for path in code.sources)],
        target,
        code.include,
        {"peer.h": _header(code)},
    )
    with BlockCounter(firmware.elf) as counter:
        output = _run(firmware, target, counter.options, code.output_bytes)
        cost = count_window(counter.intervals(), firmware.elf, target.core)
    return Counted(output, cost, firmware)


def _header(code: ForeignCode) -> str:
    sizes: Mapping[str, int] = {
        "PEER_INPUTS": code.inputs,
        "PEER_INPUT_BYTES": code.input_bytes,
        "PEER_OUTPUT_BYTES": code.output_bytes,
    }
    defines = [f"#define {name} {value}u" for name, value in sizes.items()]
    prototype = "void peer_infer(const int8_t *input, const int8_t *last_input, int8_t *output);"
    return "\n".join(["#include <stdint.h>", *defines, prototype, ""])


def _run(firmware: Firmware, board: Board, options: Sequence[str], count: int) -> Array:
    """The `count` bytes of output that the firmware sends when it is asked to begin."""
    deadline = time.monotonic() + _SECONDS
    received = b""
    with Qemu(machine_of(board), firmware.elf, options) as qemu:
        qemu.write(b"\0")
        while len(received) < count:
            received += qemu.read(deadline - time.monotonic())
            if time.monotonic() > deadline:
                raise DeviceError(f"{firmware.elf} has not sent its output within {_SECONDS:.0f} s")
    return np.frombuffer(received, np.int8)
