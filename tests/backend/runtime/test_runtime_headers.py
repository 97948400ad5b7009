"""The runtime's headers as they go into firmware: their language, and their arithmetic beside that of Python's packages."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import zlib
from pathlib import Path

import pytest
from cobs import cobs
from hypothesis import example, given
from hypothesis import strategies as st

import lichen

SOURCE = Path(lichen.__file__).parent
RUNTIME = SOURCE / "backend/runtime"
TOY = Path(__file__).parents[2] / "device/toy"
INCLUDES = [f"-I{path}" for path in (RUNTIME, SOURCE / "backend/kernels", SOURCE / "targets/firmware", TOY)]
WARNINGS = ["-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Werror"]
VALIDATE = ["-DLICHEN_VALIDATE", "-include", "lichen_stop.h"]

HARNESS = """
#include "lichen_cobs.h"
#include "lichen_crc32.h"
static uint8_t *sent;
static size_t sent_count;
static void keep(uint8_t byte) { sent[sent_count++] = byte; }
uint32_t crc32(uint32_t crc, const uint8_t *bytes, size_t count) { return lichen_crc32(crc, bytes, count); }
size_t send(const uint8_t *bytes, size_t first, size_t second, size_t third, uint8_t *out)
{
    const lichen_span spans[] = {{bytes, first}, {bytes + first, second}, {bytes + first + second, third}};
    sent = out;
    sent_count = 0;
    lichen_cobs_send(spans, 3, keep);
    return sent_count;
}
int receive(const uint8_t *bytes, size_t count, uint8_t *out, size_t capacity, size_t *length)
{
    lichen_cobs_decoder decoder = {out, capacity, 0, 0, 0, false};
    lichen_cobs_event event = LICHEN_COBS_MORE;
    for (size_t i = 0; i < count && event == LICHEN_COBS_MORE; i++) event = lichen_cobs_feed(&decoder, bytes[i]);
    *length = decoder.length;
    return (int)event;
}
"""
MORE, EMPTY, FRAME, DAMAGED, OVERSIZED = range(5)


def tool(name: str) -> str:
    """The path of a compiler's program; without it the test is skipped, which CI does not allow."""
    path = shutil.which(name)
    if path is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{name} is not installed")
    return path


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The headers as a shared library of the host."""
    folder = tmp_path_factory.mktemp("runtime")
    (folder / "harness.c").write_text(HARNESS)
    command = ["gcc", "-std=c99", "-O1", *WARNINGS, *INCLUDES, "-shared", "-fPIC", "harness.c", "-o", "harness.so"]
    subprocess.run(command, cwd=folder, check=True)
    loaded = ctypes.CDLL(str(folder / "harness.so"))
    loaded.crc32.restype = ctypes.c_uint32
    loaded.send.restype = ctypes.c_size_t
    loaded.send.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_char_p]
    loaded.receive.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p]
    return loaded


def receive(library: ctypes.CDLL, data: bytes, capacity: int) -> tuple[int, bytes]:
    """The last event of decoding `data` into a buffer of `capacity` bytes, and the buffer; guards around it stay untouched."""
    out = ctypes.create_string_buffer(b"\xee" * (capacity + 8), capacity + 8)
    length = ctypes.c_size_t()
    event = library.receive(data, len(data), out, capacity, ctypes.byref(length))
    assert length.value <= capacity
    assert out.raw[capacity:] == b"\xee" * 8
    return event, out.raw[: length.value]


@given(st.binary(max_size=300), st.integers(0, 300))
@example(b"123456789", 4)
def test_crc32_is_zlibs(library: ctypes.CDLL, data: bytes, cut: int) -> None:
    """The CRC is zlib's, whole and continued from a part."""
    assert library.crc32(0, data, len(data)) == zlib.crc32(data)
    part = library.crc32(0, data[:cut], len(data[:cut]))
    assert library.crc32(part, data[cut:], len(data[cut:])) == zlib.crc32(data)


runs = st.lists(st.one_of(st.binary(max_size=4), st.integers(250, 258).map(lambda n: b"\x07" * n)), max_size=6).map(
    b"".join
)


@given(runs, st.integers(0, 600), st.integers(0, 600))
@example(b"", 0, 0)
@example(b"\0", 0, 1)
@example(b"\x01" * 254, 100, 300)
@example(b"\x01" * 254 + b"\0", 254, 255)
@example(b"\x01" * 255, 0, 0)
@example(b"\x01" * 508, 253, 255)
def test_cobs_is_the_packages(library: ctypes.CDLL, data: bytes, one: int, two: int) -> None:
    """From three pieces of memory comes the encoding of the whole, with its zero; and back."""
    one, two = sorted((min(one, len(data)), min(two, len(data))))
    out = ctypes.create_string_buffer(2 * len(data) + 8)
    count = library.send(data, one, two - one, len(data) - two, out)
    assert out.raw[:count] == cobs.encode(data) + b"\0"
    assert receive(library, out.raw[:count], len(data)) == (FRAME, data)


@given(runs.filter(bool), st.data())
def test_oversized_frame_stays_in_the_buffer(library: ctypes.CDLL, data: bytes, draw: st.DataObject) -> None:
    """A frame longer than the buffer is told so at its end and has written nothing past it."""
    capacity = draw.draw(st.integers(0, len(data) - 1))
    assert receive(library, cobs.encode(data) + b"\0", capacity) == (OVERSIZED, data[:capacity])


@given(st.binary(max_size=400))
@example(b"\0")
@example(b"\x05\x01\0")
def test_decoder_takes_anything(library: ctypes.CDLL, noise: bytes) -> None:
    """Whatever arrives, the decoder agrees with the package on what is a frame."""
    piece, zero, _ = noise.partition(b"\0")
    event, out = receive(library, noise, 400)
    if not zero:
        assert event == MORE
    elif not piece:
        assert event == EMPTY
    else:
        try:
            assert (event, out) == (FRAME, cobs.decode(piece))
        except cobs.DecodeError:
            assert event == DAMAGED


@pytest.mark.parametrize("flags", [[], VALIDATE], ids=["shipped", "validating"])
@pytest.mark.parametrize(
    "command",
    [
        ["gcc", "-std=c99"],
        ["g++", "-std=c++17", "-x", "c++"],
        ["arm-none-eabi-gcc", "-std=c99", "-mcpu=cortex-m0", "-mthumb"],
        ["avr-gcc", "-std=c99", "-mmcu=atmega328p"],
    ],
    ids=lambda command: f"{command[0]} {command[1]}",
)
def test_headers_are_clean(command: list[str], flags: list[str]) -> None:
    """The firmware compiles without a warning as C99 and as C++17, for the host, Cortex-M and AVR."""
    subprocess.run(
        [tool(command[0]), *command[1:], "-Os", *WARNINGS, *INCLUDES, *flags, "-fsyntax-only", str(RUNTIME / "main.c")],
        check=True,
    )


def test_only_string_h_of_libc() -> None:
    """Of libc the runtime includes string.h; the other standard headers are those a freestanding compiler brings."""
    freestanding = {"stdbool.h", "stddef.h", "stdint.h"}
    for file in (*RUNTIME.glob("*.h"), *RUNTIME.glob("*.c")):
        included = {
            line.split("<")[1].rstrip("> \n") for line in file.read_text().splitlines() if line.startswith("#include <")
        }
        assert included <= freestanding | {"string.h"}, file


def test_avr_ram(tmp_path: Path) -> None:
    """On the ATmega328P the link takes at most 128 bytes of static RAM beside the model, and 4 kB of flash with the toy in it."""
    out = tmp_path / "main.o"
    flags = ["-std=c99", "-mmcu=atmega328p", "-Os", *INCLUDES, "-c", str(RUNTIME / "main.c"), "-o", str(out)]
    subprocess.run([tool("avr-gcc"), *flags], check=True)
    text, data, bss = map(
        int, subprocess.run([tool("avr-size"), str(out)], capture_output=True, text=True).stdout.split()[6:9]
    )
    model = 607 + 4
    assert data == 0
    assert bss - model <= 128
    assert text <= 4096
