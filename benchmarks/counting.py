"""One inference counted on a board's emulator: of a model that Lichen compiles, and of C that someone else has written.

Both are linked by Lichen with the same start-up code, compiler flags and library, run under `-icount shift=0`, and get the same input:
byte i of input k is ((i * 37 + 11 + 101 * k) % 256) - 128, a float element the 128th part of it. Instructions are emulated, cycles
modelled (on AVR emulated).
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lichen.compiler import Compilation, compile_model
from lichen.device.session import Session
from lichen.device.transport import Transport
from lichen.errors import DeviceError
from lichen.ir.module import Array, Module
from lichen.ir.types import TensorType
from lichen.targets.blocks import BlockCounter
from lichen.targets.board import load_board
from lichen.targets.build import Firmware, Source, build_firmware, build_image
from lichen.targets.folder import open_folder
from lichen.targets.machine import machine_of
from lichen.targets.profiler import InferenceCost, count_window
from lichen.targets.qemu import Qemu
from lichen.targets.simavr import Simavr

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
    """The inputs of all comparisons, `(1, *shape)`, int8 or float32."""
    return [_input(k, value.type) for k, value in enumerate(module.infer.inputs)]


def _input(k: int, type_: TensorType) -> Array:
    stored = ((np.arange(type_.elements) * 37 + 11 + 101 * k) % 256 - 128).reshape(type_.shape)
    return stored.astype(np.float32) / 128 if type_.dtype.is_float else stored.astype(np.int8)


def count_lichen(module: Module, board: str, optimize: str = "speed") -> tuple[Compilation, Counted]:
    """Compiles `module` for `board` and counts one inference on its emulator. Raises `DoesNotFitError`."""
    with tempfile.TemporaryDirectory() as folder:
        built = compile_model(module, board, Path(folder) / "model", optimize)
        model, inputs = open_folder(built.path), sample(module)
        firmware = build_firmware(model, built.board)

        def infer(device: Transport) -> Array:
            with Session(device, model.manifest) as session:
                arrays = [x.reshape(slot.shape) for x, slot in zip(inputs, session.inputs, strict=True)]
                return session.infer(arrays)[0].ravel()

        return built, _count(firmware, infer)


def count_foreign(code: ForeignCode, board: str) -> Counted:
    """Links `code` for `board` and counts one inference on its emulator.

    Raises `DoesNotFitError`, `BuildError` for C that the board's compiler refuses, and `DeviceError` if it does not come to an end.
    """
    firmware = build_image(
        [Source(_MAIN), *(Source(path, code.flags) for path in code.sources)],
        load_board(board),
        code.include,
        {"peer.h": _header(code)},
    )

    def infer(device: Transport) -> Array:
        deadline = time.monotonic() + _SECONDS
        device.write(b"\0")
        received = b""
        while len(received) < code.output_bytes:
            received += device.read(deadline - time.monotonic())
            if time.monotonic() > deadline:
                raise DeviceError(f"{firmware.elf} has not sent its output within {_SECONDS:.0f} s")
        return np.frombuffer(received, np.int8)

    return _count(firmware, infer)


def _count(firmware: Firmware, infer: Callable[[Transport], Array]) -> Counted:
    """What `infer` does once with the emulated machine, and what that costs."""
    board = firmware.board
    assert board.emulator is not None
    if board.emulator.kind == "simavr":
        with Simavr(firmware.elf, clock_hz=board.clock_hz) as simavr:
            simavr.read(_SECONDS)  # the zero byte with which `port_init` ends; `Qemu` waits for it itself
            output = infer(simavr)
            count = simavr.first_inference
        return Counted(output, InferenceCost(count.instructions, count.cycles, "emulated"), firmware)
    with BlockCounter(firmware.elf) as counter:
        with Qemu(machine_of(board), firmware.elf, counter.options) as qemu:
            output = infer(qemu)
        return Counted(output, count_window(counter.intervals(), firmware.elf, board.core), firmware)


def _header(code: ForeignCode) -> str:
    sizes: Mapping[str, int] = {
        "PEER_INPUTS": code.inputs,
        "PEER_INPUT_BYTES": code.input_bytes,
        "PEER_OUTPUT_BYTES": code.output_bytes,
    }
    defines = [f"#define {name} {value}u" for name, value in sizes.items()]
    prototypes = [
        "void peer_prepare(const int8_t *input);",
        "void peer_infer(const int8_t *input, const int8_t *last_input, int8_t *output);",
    ]
    return "\n".join(["#include <stdint.h>", *defines, *prototypes, ""])
