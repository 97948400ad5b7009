"""QEMU running a firmware image: a byte stream to the emulated UART."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from lichen.errors import DeviceError
from lichen.targets.machine import Machine
from lichen.targets.process import ProcessTransport
from lichen.targets.toolchain import find_tool

PROGRAM = "qemu-system-arm"
_BOOT_SECONDS = 30.0  # takes 0.03 s; far more on a host that is busy with something else


class Qemu(ProcessTransport):
    """A running machine, and the transport to it.

    The machine executes one instruction per nanosecond of its own time (`-icount shift=0`), so a run depends on nothing but the image
    and the bytes sent to it. `options` are QEMU's own, for example a plugin. The constructor returns when the firmware listens; it
    raises `MissingToolError` without QEMU and `DeviceError` if the machine does not start.
    """

    def __init__(self, machine: Machine, elf: Path, options: Sequence[str] = ()) -> None:
        command = [find_tool(PROGRAM), "-M", machine.name, "-kernel", str(elf), "-icount", "shift=0"]
        command += ["-nodefaults", "-display", "none", "-monitor", "none"]
        command += ["-serial", "null"] * machine.uart + ["-serial", "stdio"]
        super().__init__([*command, *options], PROGRAM)
        try:
            self._await_boot(machine.name)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Stops the machine; when this returns, QEMU's plugins have written what they write at the end. Closing twice does nothing."""
        self._process.terminate()
        super().close()

    def _await_boot(self, name: str) -> None:
        """Waits for the zero byte with which `port_init` ends. Bytes sent earlier would be lost on some UARTs."""
        deadline = time.monotonic() + _BOOT_SECONDS
        while not self.read(deadline - time.monotonic()).endswith(b"\0"):
            if time.monotonic() > deadline:
                raise DeviceError(f"the firmware on {name} does not start within {_BOOT_SECONDS:.0f} s")
