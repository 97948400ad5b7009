"""A device that runs as a process: an emulator whose standard input and output are its line."""

from __future__ import annotations

import os
import select
import subprocess
import tempfile
import weakref
from collections.abc import Sequence

from lichen.errors import DeviceError
from lichen.targets.closing import Closing

_CHUNK = 1 << 16


class ProcessTransport(Closing):
    """The transport to a process that ends when its standard input is closed; a context manager that leaves none behind.

    `name` is what sentences call it, `grace` the seconds it has to end in before it is killed. What it writes to standard
    error is kept and quoted when it ends by itself.
    """

    def __init__(self, command: Sequence[str], name: str, grace: float = 2.0) -> None:
        self._name = name
        self._grace = grace
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  (closed in close())
        pipe = subprocess.PIPE
        try:
            # A session of its own: an interrupt at the keyboard is Python's to handle, which then closes the line in order.
            self._process = subprocess.Popen(
                list(command), stdin=pipe, stdout=pipe, stderr=self._stderr, bufsize=0, start_new_session=True
            )
        except OSError as error:
            self._stderr.close()
            raise DeviceError(f"{name} cannot be started: {error}.") from None
        weakref.finalize(self, self._process.kill)  # an emulator nobody has closed would run on after Python has ended
        assert self._process.stdin is not None and self._process.stdout is not None
        self._to, self._from = self._process.stdin, self._process.stdout

    def read(self, timeout: float) -> bytes:
        """What has arrived, or nothing after `timeout` seconds. `DeviceError` if the process has ended."""
        if not select.select([self._from], [], [], max(timeout, 0.0))[0]:
            return b""
        data = os.read(self._from.fileno(), _CHUNK)
        if not data:
            raise self._gone()
        return data

    def write(self, data: bytes) -> None:
        """Sends all of `data`. `DeviceError` if the process has ended."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._to.fileno(), rest) :]
        except BrokenPipeError:
            raise self._gone() from None

    def close(self) -> None:
        """Ends the process and returns when it has ended; closing twice does nothing."""
        if self._stderr.closed:
            return
        self._to.close()
        try:
            self._process.wait(self._grace)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._from.close()
        self._stderr.close()

    @property
    def exit_code(self) -> int | None:
        """Of the process, negative if a signal ended it; `None` while it runs."""
        return self._process.poll()

    def _gone(self) -> DeviceError:
        """What to say when the process has closed its end of the line."""
        try:
            code = self._process.wait(self._grace)
        except subprocess.TimeoutExpired:
            return DeviceError(f"{self._name} has closed its line.")
        self._stderr.seek(0)
        lines = self._stderr.read().decode(errors="replace").strip().splitlines()
        return DeviceError(f"{self._name} ended with exit code {code}: {lines[-1] if lines else 'it gave no reason'}.")
