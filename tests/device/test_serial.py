"""A serial port, for which a pseudo-terminal stands, with the toy firmware at its other end."""

from __future__ import annotations

import os
import subprocess
import tty
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lichen.device import SerialTransport, Session
from lichen.errors import DeviceError


@pytest.fixture
def board(toy_program: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The name of a port, and the process that serves it."""
    device, port = os.openpty()
    tty.setraw(port)  # a serial line does not echo; a terminal would, until the host opens it
    name = os.ttyname(port)
    process = subprocess.Popen([str(toy_program)], stdin=device, stdout=device)
    os.close(device)
    yield name, process
    process.kill()
    process.wait()
    os.close(port)


def test_session_over_a_serial_port(board: tuple[str, subprocess.Popen[bytes]]) -> None:
    """All byte values pass a serial port unchanged in both directions."""
    x = np.arange(600).astype(np.uint8)
    with Session(SerialTransport(board[0])) as session:
        y, _ = session.infer([x, np.array([0, 1, 0], np.uint8)])
        np.testing.assert_array_equal(y, x)
        assert session.counters().damaged == 0


def test_unplugged(board: tuple[str, subprocess.Popen[bytes]]) -> None:
    """A board that is unplugged in the middle is named with its port at once."""
    name, process = board
    with Session(SerialTransport(name)) as session:
        process.kill()
        process.wait()
        with pytest.raises(DeviceError, match=f"serial port {name} no longer works"):
            session.stack_used()


def test_no_such_port() -> None:
    """A port that is not there is an error of ours with the port's name."""
    with pytest.raises(DeviceError, match="/dev/no-such-port cannot be opened"):
        SerialTransport("/dev/no-such-port")
