"""Damages `.tflite` files, mostly where damage changes what they say."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from lichen.frontends.tflite.schema import read_model

TELLING = (0, 1, 2, 4, 127, 128, 255, 0x7F7FFFFF, 0x7F800000, 0x7FC00000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x10000)


def tables(model: bytes) -> np.ndarray:
    """Offsets of the bytes that are not data of constants: where damage changes what the file says."""
    says = np.ones(len(model), bool)
    for tensor in read_model(model)[0].tensors:
        if tensor.data is not None and len(tensor.data) > 8:
            start = model.find(tensor.data.tobytes())
            says[start : start + len(tensor.data)] = False
    return np.flatnonzero(says)


def mutations(model: bytes, count: int, seed: int) -> Iterator[bytes]:
    """`count` damaged copies: bits flipped, bytes and words overwritten, parts cut out, doubled or moved, ends cut off."""
    rng = np.random.default_rng(seed)
    places = tables(model)

    def place() -> int:
        return int(rng.choice(places)) if rng.random() < 0.9 else int(rng.integers(len(model)))

    for _ in range(count):
        data = bytearray(model)
        for _ in range(int(rng.integers(1, 4))):
            at = min(place(), len(data) - 1)
            match int(rng.integers(7)):
                case 0:
                    data[at] ^= 1 << int(rng.integers(8))
                case 1:
                    data[at] = int(rng.integers(256))
                case 2:
                    at -= at % 4
                    data[at : at + 4] = struct.pack("<I", int(rng.choice(TELLING)))
                case 3:
                    at -= at % 4
                    [word] = struct.unpack("<I", bytes(data[at : at + 4]).ljust(4, b"\0"))
                    data[at : at + 4] = struct.pack("<I", (word + int(rng.integers(-8, 9))) % 2**32)
                case 4:
                    other, size = min(place(), len(data) - 1), int(rng.integers(1, 64))
                    data[at : at + size] = data[other : other + size]
                case 5:
                    size = int(rng.integers(1, 64))
                    data[at : at + size] = b"" if rng.random() < 0.5 else bytes(data[at : at + size]) * 2
                case _ if rng.random() < 0.1:
                    del data[at + 1 :]
        yield bytes(data)
