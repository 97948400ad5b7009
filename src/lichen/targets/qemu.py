"""QEMU running a firmware image: a byte stream to the emulated UART."""

from __future__ import annotations

import os
import select
import subprocess
import time
import weakref
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from lichen.errors import DeviceError
from lichen.targets.machine import Machine
from lichen.targets.toolchain import find_tool

PROGRAM = "qemu-system-arm"
_BOOT_SECONDS = 30.0  # takes 0.03 s; far more on a machine that is busy with something else
_STOP_SECONDS = 5.0


class Qemu:
    """A running machine and the transport to it; a context manager that leaves no process behind.

    The machine executes one instruction per nanosecond of its own time (`-icount shift=0`), so a run depends on nothing but the image
    and the bytes sent to it. The constructor returns when the firmware listens. It raises `MissingToolError` without QEMU and
    `DeviceError` if the machine does not start.
    """

    def __init__(self, machine: Machine, elf: Path, options: Sequence[str] = ()) -> None:
        unused = [word for _ in range(machine.uart) for word in ("-serial", "null")]
        command = [find_tool(PROGRAM), "-M", machine.name, "-icount", "shift=0", "-nodefaults", "-display", "none", "-monitor", "none"]
        command += [*unused, "-serial", "stdio", "-kernel", str(elf), *options]
        pipe = subprocess.PIPE
        # A session of its own: an interrupt at the keyboard is Python's to handle, which then stops the machine in order.
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0, start_new_session=True)
        self._finalizer = weakref.finalize(self, _stop, self._process)
        assert self._process.stdin is not None and self._process.stdout is not None
        self._to, self._from = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._to, False)
        self._await_boot(machine.name)

    def read(self, timeout: float) -> bytes:
        """The bytes that are there, as soon as there are any; none after `timeout` seconds. `DeviceError` if the machine has stopped."""
        ready, _, _ = select.select([self._from], [], [], timeout)
        if not ready:
            return b""
        data = os.read(self._from, 65536)
        if not data:
            raise DeviceError(f"{PROGRAM} has stopped: {self._last_words()}")
        return data

    def write(self, data: bytes) -> None:
        """Sends `data`. `DeviceError` if the machine has stopped or has not taken anything for seconds."""
        rest = memoryview(data)
        while rest:
            _, ready, _ = select.select([], [self._to], [], _STOP_SECONDS)
            if not ready:
                raise DeviceError(f"the machine in {PROGRAM} takes no more bytes; the firmware has crashed")
            try:
                rest = rest[os.write(self._to, rest) :]
            except BrokenPipeError as error:
                raise DeviceError(f"{PROGRAM} has stopped: {self._last_words()}") from error

    def close(self) -> None:
        """Stops QEMU; its plugins have written what they write at the end when this returns. Closing twice does nothing."""
        self._finalizer()

    def __enter__(self) -> Qemu:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _await_boot(self, name: str) -> None:
        """Waits for the zero byte with which `port_init` ends. Bytes sent earlier would be lost on some UARTs."""
        deadline = time.monotonic() + _BOOT_SECONDS
        try:
            while time.monotonic() < deadline:
                if self.read(deadline - time.monotonic())[-1:] == b"\0":
                    return
            raise DeviceError(f"the firmware on {name} does not start within {_BOOT_SECONDS:.0f} s")
        except BaseException:
            self.close()
            raise

    def _last_words(self) -> str:
        """What QEMU said before it ended; to be asked for when its output is closed."""
        assert self._process.stderr is not None
        self._process.wait(_STOP_SECONDS)
        lines = self._process.stderr.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it gave no reason"


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()
