"""Frames on the wire."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.device.frame import DamagedFrameError, Frame, FrameReader, decode, encode

frames = st.builds(Frame, st.integers(0, 255), st.integers(0, 255), st.binary(max_size=600))


def test_known_bytes() -> None:
    """Header, payload and the CRC of both, little endian, stuffed, and a zero: written out by hand."""
    crc = zlib.crc32(bytes.fromhex("01810007")).to_bytes(4, "little")
    assert b"\0" not in crc
    assert encode(Frame(1, 0x81, b"\x00\x07")) == b"\x03\x01\x81" + b"\x06\x07" + crc + b"\x00"


@given(frames)
def test_round_trip(frame: Frame) -> None:
    """What is decoded is what was encoded, and a zero occurs only at the end."""
    encoded = encode(frame)
    assert encoded.index(0) == len(encoded) - 1
    assert decode(encoded[:-1]) == frame


@given(frames, st.data())
def test_changed_frame_is_refused(frame: Frame, data: st.DataObject) -> None:
    """A frame with any one bit changed, or cut short anywhere, is no frame."""
    encoded = encode(frame)[:-1]
    at = data.draw(st.integers(0, len(encoded) - 1))
    with pytest.raises(DamagedFrameError):
        decode(encoded[:at])
    changed = bytearray(encoded)
    changed[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(DamagedFrameError):
        decode(bytes(changed))


@given(st.lists(frames, max_size=8), st.lists(st.integers(1, 40), min_size=1))
def test_reader_cuts_any_stream(sent: list[Frame], cuts: list[int]) -> None:
    """However a stream is cut into reads, the reader finds the frames in order and counts no damage."""
    stream = b"\0".join([b"", *(encode(frame) for frame in sent)])
    reader, got, at = FrameReader(), [], 0
    while at < len(stream):
        size = cuts[at % len(cuts)]
        got += reader.feed(stream[at : at + size])
        at += size
    assert got == sent
    assert reader.damaged == 0


def test_reader_is_bounded() -> None:
    """Noise without a zero does not fill memory; the frame behind it is found."""
    reader = FrameReader(limit=100)
    for _ in range(50):
        assert reader.feed(b"\x55" * 64) == []
    assert len(reader._pending) <= 100
    assert reader.feed(b"\0" + encode(Frame(1, 2))) == [Frame(1, 2)]
    assert reader.damaged == 1
