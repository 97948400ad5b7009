"""Byte streams to a device; the emulators of `lichen.targets` are transports too."""

from __future__ import annotations

from typing import Protocol

import serial

from lichen.errors import DeviceError


class Transport(Protocol):
    """A byte stream in both directions. It may lose and damage bytes; the link above it notices."""

    def read(self, timeout: float) -> bytes:
        """What has arrived, or nothing after `timeout` seconds. Raises `DeviceError` when the other end is gone."""

    def write(self, data: bytes) -> None:
        """Sends all of `data`. Raises `DeviceError` when the other end is gone."""

    def close(self) -> None:
        """Lets the other end go; may be called twice."""


class SerialTransport:
    """A board on a serial port, for example `/dev/ttyACM0`."""

    def __init__(self, port: str, baud: int = 115200) -> None:
        try:
            self._serial = serial.Serial(port, baud, timeout=0, write_timeout=10, exclusive=True)
            self._serial.reset_input_buffer()
        except (serial.SerialException, OSError, ValueError) as error:
            raise DeviceError(
                f"The serial port {port} cannot be opened ({error}): is the board connected, the port not in use, and may you use it?"
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
