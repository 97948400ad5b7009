"""Frames on the wire: COBS(header, payload, CRC-32 of both) and a zero byte."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from cobs import cobs

HEADER_BYTES = 2
CRC_BYTES = 4


@dataclass(frozen=True)
class Frame:
    """`code` is the operation in a request and the status in a reply; both it and `sequence` are 0..255."""

    sequence: int
    code: int
    payload: bytes = b""


class DamagedFrameError(ValueError):
    """What arrived between two zeros is not what was sent. The link drops it; it never reaches a user."""


def encode(frame: Frame) -> bytes:
    """The bytes of `frame` on the wire, its final zero included."""
    body = bytes((frame.sequence, frame.code)) + frame.payload
    stuffed: bytes = cobs.encode(body + struct.pack("<I", zlib.crc32(body)))
    return stuffed + b"\0"


def decode(encoded: bytes) -> Frame:
    """The frame that arrived in front of a zero byte (not included). Raises `DamagedFrameError`."""
    try:
        raw: bytes = cobs.decode(encoded)
    except cobs.DecodeError as error:
        raise DamagedFrameError(str(error)) from None
    if len(raw) < HEADER_BYTES + CRC_BYTES:
        raise DamagedFrameError(f"{len(raw)} bytes are too few for a frame")
    body = raw[:-CRC_BYTES]
    if struct.unpack("<I", raw[-CRC_BYTES:]) != (zlib.crc32(body),):
        raise DamagedFrameError("the CRC does not match")
    return Frame(body[0], body[1], body[HEADER_BYTES:])


class FrameReader:
    """Cuts a stream of bytes into frames; what is damaged or longer than `limit` bytes is dropped and counted."""

    def __init__(self, limit: int = 1 << 17) -> None:
        self.damaged = 0
        self._limit = limit
        self._pending = bytearray()
        self._skipping = False  # inside a frame that is too long, up to its zero

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that `data` completes, in order."""
        frames = []
        *ended, rest = data.split(b"\0")
        for piece in ended:
            self._append(piece)
            if self._pending and not self._skipping:
                try:
                    frames.append(decode(bytes(self._pending)))
                except DamagedFrameError:
                    self.damaged += 1
            self._pending.clear()
            self._skipping = False
        self._append(rest)
        return frames

    def _append(self, piece: bytes) -> None:
        if self._skipping:
            return
        self._pending += piece
        if len(self._pending) > self._limit:
            self._pending.clear()
            self._skipping = True
            self.damaged += 1
