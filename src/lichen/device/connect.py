"""From firmware, or a serial port, to a session."""

from __future__ import annotations

from collections.abc import Sequence

from lichen.device.session import Session
from lichen.device.transport import SerialTransport
from lichen.targets.build import Firmware
from lichen.targets.folder import ModelFolder
from lichen.targets.machine import machine_of
from lichen.targets.qemu import Qemu
from lichen.targets.simavr import Simavr


def connect(model: ModelFolder, firmware: Firmware, options: Sequence[str] = ()) -> Session:
    """A session with `firmware` on the emulator of its board. `options` are QEMU's own (a plugin).

    Raises `MissingToolError` without the emulator, `DeviceError` if the firmware does not answer.
    """
    machine = machine_of(firmware.board)
    emulator = firmware.board.emulator
    assert emulator is not None  # machine_of has seen to it
    if emulator.kind == "simavr":
        return Session(Simavr(firmware.elf, clock_hz=firmware.board.clock_hz), model.manifest)
    return Session(Qemu(machine, firmware.elf, options), model.manifest)


def connect_serial(model: ModelFolder, port: str) -> Session:
    """A session with a board on a serial port that runs the firmware of `model`."""
    return Session(SerialTransport(port), model.manifest)
