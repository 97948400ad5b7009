"""Byte streams to a device: a serial port, or the standard input and output of an emulator."""

from __future__ import annotations

import os
import select
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from typing import Protocol

import serial

from lichen.errors import DeviceError

CHUNK = 1 << 16


class Transport(Protocol):
    """A byte stream in both directions. It may lose and damage bytes; the link above it notices."""

    def read(self, timeout: float) -> bytes:
        """What has arrived, at least one byte, or nothing after `timeout` seconds. Raises `DeviceError` when the other end is gone."""

    def write(self, data: bytes) -> None:
        """Sends all of `data`. Raises `DeviceError` when the other end is gone."""

    def close(self) -> None:
        """Lets the other end go; may be called twice."""


class SerialTransport:
    """A board on a serial port, for example `/dev/ttyACM0`."""

    def __init__(self, port: str, baud: int = 115200) -> None:
        try:
            self._serial = serial.Serial(port, baud, timeout=0, write_timeout=10)
            self._serial.reset_input_buffer()
        except (serial.SerialException, OSError, ValueError) as error:
            raise DeviceError(
                f"The serial port {port} cannot be opened ({error}): is the board connected, may you use the port?"
            ) from None

    def read(self, timeout: float) -> bytes:
        """See `Transport`."""
        try:
            self._serial.timeout = timeout
            first: bytes = self._serial.read(1)
            return first + bytes(self._serial.read(self._serial.in_waiting)) if first else b""
        except (serial.SerialException, OSError) as error:
            raise self._gone(error) from None

    def write(self, data: bytes) -> None:
        """See `Transport`."""
        try:
            self._serial.write(data)
        except (serial.SerialException, OSError) as error:
            raise self._gone(error) from None

    def close(self) -> None:
        """See `Transport`."""
        self._serial.close()

    def _gone(self, error: Exception) -> DeviceError:
        return DeviceError(
            f"The serial port {self._serial.port} no longer works ({error}): is the board still connected?"
        )


class ProcessTransport:
    """A device that runs as a process, its line being standard input and output; closing the line ends it.

    `name` is what sentences call it. What it writes to standard error is kept and quoted when it ends by itself.
    """

    def __init__(
        self, command: Sequence[str], name: str, env: Mapping[str, str] | None = None, grace: float = 2.0
    ) -> None:
        self.name = name
        self._grace = grace  # seconds to end in after the line is closed
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  (closed in close())
        try:
            self._process = subprocess.Popen(
                list(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._stderr, bufsize=0, env=env
            )
        except OSError as error:
            self._stderr.close()
            raise DeviceError(f"{name} cannot be started: {error}.") from None
        assert self._process.stdin is not None and self._process.stdout is not None
        self._in = self._process.stdin
        self._out = self._process.stdout

    def read(self, timeout: float) -> bytes:
        """See `Transport`."""
        if not select.select([self._out], [], [], max(timeout, 0.0))[0]:
            return b""
        data = os.read(self._out.fileno(), CHUNK)
        if not data:
            raise self._gone()
        return data

    def write(self, data: bytes) -> None:
        """See `Transport`."""
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._in.fileno(), view) :]
        except BrokenPipeError:
            raise self._gone() from None

    def close(self) -> None:
        """See `Transport`. Returns when the process has ended, at the latest after the grace, when it is killed."""
        if self._stderr.closed:
            return
        self._in.close()
        try:
            self._process.wait(self._grace)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._out.close()
        self._stderr.close()

    def _gone(self) -> DeviceError:
        try:
            code = self._process.wait(self._grace)
        except subprocess.TimeoutExpired:
            return DeviceError(f"{self.name} closed its line.")
        self._stderr.seek(0)
        lines = self._stderr.read().decode("utf-8", "replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return DeviceError(f"{self.name} ended with exit code {code}{': ' + last if last else ''}.")
