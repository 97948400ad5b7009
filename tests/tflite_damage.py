"""Damages `.tflite` files, mostly where damage changes what they say."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from lichen.frontends.tflite.schema import read_model
from tflite_builder import Graph, build

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


def contradictions(graphs: tuple[Graph, ...], rng: np.random.Generator) -> bytes:
    """The graphs as a whole file in which one thing is said differently: a shape, a type, a quantisation, an operand, an option."""
    main = graphs[0]
    tensor, op = (items[int(rng.integers(len(items)))] for items in (main.tensors, main.ops))
    match int(rng.integers(6)):
        case 0:
            tensor.shape = tuple(int(d) for d in rng.choice([1, 2, 3, 4, 6], int(rng.integers(0, 6))))
            if tensor.data is not None:
                tensor.data = np.resize(tensor.data, tensor.shape)
        case 1:
            tensor.dtype = str(rng.choice(["int8", "uint8", "int16", "int32", "int64", "float32", "bool", "resource"]))
            if tensor.data is not None and tensor.dtype != "resource":
                tensor.data = tensor.data.astype(tensor.dtype)
        case 2:
            count = int(rng.integers(0, 4))
            tensor.scale = [float(s) for s in 2.0 ** rng.integers(-40, 40, count)]
            tensor.zero_point = [int(z) for z in rng.integers(-128, 128, count)]
            tensor.axis = int(rng.integers(-1, 5))
        case 3:
            inputs = list(op.inputs)
            if inputs:
                inputs[int(rng.integers(len(inputs)))] = rng.choice(np.array([*main.tensors, None], object))
            op.inputs = inputs[: int(rng.integers(len(inputs) + 1))] if rng.random() < 0.2 else inputs
        case 4:
            numbers = [key for key, value in op.options.items() if isinstance(value, int | float)]
            if numbers:
                key = str(rng.choice(numbers))
                is_flag = isinstance(op.options[key], bool)
                op.options = {**op.options, key: not op.options[key] if is_flag else int(rng.integers(-3, 8))}
        case _:
            if tensor.data is not None:
                tensor.data = rng.integers(-5, 6, tensor.data.shape).astype(tensor.data.dtype)
    return build(*graphs)
