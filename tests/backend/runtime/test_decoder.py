"""The decoder in C: its Python twin's weights in both variants, safe on any damage, and small on the chip."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coded import weights
from lichen.backend.emit import KERNELS, RUNTIME
from lichen.coding.stream import Codes, Symbols
from lichen.ir.module import Array
from native_check import SANITIZERS, WARNINGS

MOST_CODE_BYTES = 600

MAIN = """
#include <stdio.h>
#include <stdlib.h>
#include "lichen_decoder.h"

static int8_t *read_bytes(int32_t count)
{
    int8_t *bytes = (int8_t *)malloc((size_t)count); /* exactly: a sanitizer sees the first byte beside it */
    if (bytes == NULL || fread(bytes, 1, (size_t)count, stdin) != (size_t)count) exit(2);
    return bytes;
}

int main(void)
{
    int32_t head[11];
    while (fread(head, sizeof *head, 11, stdin) == 11) {
        lichen_coded coded;
        lichen_decoder decoder;
        int8_t *const values = read_bytes(head[0]), *const gaps = read_bytes(head[1]), *const words = read_bytes(head[2]);
        coded.values.table = values;
        coded.values.shortest = (uint8_t)head[3];
        coded.values.longest = (uint8_t)head[4];
        coded.values.symbols = (uint8_t)head[5];
        coded.gaps.table = gaps;
        coded.gaps.shortest = (uint8_t)head[6];
        coded.gaps.longest = (uint8_t)head[7];
        coded.gaps.symbols = (uint8_t)head[8];
        coded.words = words;
        coded.bytes = head[2];
        coded.escape = (uint8_t)head[9];
        lichen_decoder_begin(&decoder, &coded);
        for (int32_t left = head[10], n = 1; left > 0; left -= n, n = n % 97 + 5) { /* blocks of many sizes */
            if (n > left) n = left;
            int8_t *const block = (int8_t *)malloc((size_t)n);
            if (block == NULL) return 2;
            lichen_decode(&decoder, block, (int)n);
            fwrite(block, 1, (size_t)n, stdout);
            free(block);
        }
        free(values);
        free(gaps);
        free(words);
    }
    return 0;
}
"""


@pytest.fixture(scope="module", params=[0, 1], ids=["words", "bit by bit"])
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Reads coded weights, writes them decoded; under sanitizers."""
    folder = tmp_path_factory.mktemp("decoder")
    (folder / "main.c").write_text(MAIN)
    flags = [*WARNINGS, *SANITIZERS, f"-DLICHEN_DECODE_BITWISE={request.param}", f"-I{KERNELS}", f"-I{RUNTIME}"]
    subprocess.run(["gcc", "-O1", *flags, "main.c", "-o", "program"], cwd=folder, check=True)
    return folder / "program"


def packed(codes: Codes, words: Array, count: int) -> bytes:
    """A case as the program reads it."""
    tables = [codes.values, codes.gaps or codes.values]
    head = [*(len(c.table) for c in tables), len(words)]
    for code in tables:
        head += [code.shortest, code.longest, len(code.symbols)]
    return (
        np.array([*head, codes.escape, count], np.int32).tobytes()
        + b"".join(c.table.tobytes() for c in tables)
        + words.tobytes()
    )


def decoded(program: Path, cases: Sequence[bytes]) -> bytes:
    done = subprocess.run([program], input=b"".join(cases), capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


SLOW_FIXTURE = [HealthCheck.function_scoped_fixture]


@settings(max_examples=20, deadline=None, suppress_health_check=SLOW_FIXTURE)
@given(data=st.lists(weights(), min_size=1, max_size=8))
def test_c_decodes_what_python_encodes(program: Path, data: list[Array]) -> None:
    """Both forms, in blocks of all sizes, give back every weight."""
    cases, expected = [], b""
    for array in data:
        for symbols in (Symbols.dense(array), Symbols.sparse(array)):
            codes = symbols.codes()
            if codes is not None:
                cases.append(packed(codes, codes.encode(array), array.size))
                expected += array.tobytes()
    assert decoded(program, cases) == expected


@settings(max_examples=20, deadline=None, suppress_health_check=SLOW_FIXTURE)
@given(data=st.lists(weights(200), min_size=1, max_size=8), seed=st.integers(0, 2**32 - 1))
def test_damaged_tables_do_no_harm(program: Path, data: list[Array], seed: int) -> None:
    """Flipped bits and garbage in words and tables: as many weights come out, and nothing is touched that is not the decoder's."""
    rng = np.random.default_rng(seed)
    cases, total = [], 0
    for array in data:
        for symbols in (Symbols.dense(array), Symbols.sparse(array)):
            codes = symbols.codes()
            if codes is None:
                continue
            case = bytearray(packed(codes, codes.encode(array), array.size))
            for at in rng.integers(44, len(case), rng.choice([1, 3, len(case)])):
                case[at] = rng.integers(256)
            cases.append(bytes(case))
            total += array.size
    assert len(decoded(program, cases)) == total


@pytest.mark.parametrize("level", ["-O2", "-Os"])
def test_the_decoder_is_small(level: str, tmp_path: Path, needs: Callable[..., None]) -> None:
    """Both forms together take at most 600 bytes of code on a Cortex-M4."""
    needs("arm-none-eabi-gcc", "arm-none-eabi-size")
    source = """#include "lichen_decoder.h"
void start(lichen_decoder *decoder, const lichen_coded *coded);
void start(lichen_decoder *decoder, const lichen_coded *coded) { lichen_decoder_begin(decoder, coded); }
void weights(lichen_decoder *decoder, int8_t *to, int n);
void weights(lichen_decoder *decoder, int8_t *to, int n) { lichen_decode(decoder, to, n); }
"""
    (tmp_path / "decoder.c").write_text(source)
    flags = ["-mcpu=cortex-m4", "-mthumb", "-std=c99", f"-I{KERNELS}", f"-I{RUNTIME}"]
    for defines in ([], ["-DLICHEN_OPTIMIZE_SPEED"]):
        command = ["arm-none-eabi-gcc", level, *flags, *defines, "-c", "decoder.c"]
        subprocess.run(command, cwd=tmp_path, check=True)
        size = subprocess.run(
            ["arm-none-eabi-size", "decoder.o"], cwd=tmp_path, check=True, capture_output=True, text=True
        )
        code = int(size.stdout.splitlines()[1].split()[0])
        assert 0 < code <= MOST_CODE_BYTES


def test_it_is_clean_as_cpp(tmp_path: Path) -> None:
    """The program above compiles as C++17 without a warning."""
    (tmp_path / "main.cpp").write_text(MAIN)
    flags = ["-std=c++17", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Werror", f"-I{KERNELS}", f"-I{RUNTIME}"]
    subprocess.run(["g++", *flags, "-c", "main.cpp"], cwd=tmp_path, check=True)


def test_a_layer_of_zeros_is_skipped(program: Path) -> None:
    """Of thirty thousand weights two are not zero: the sparse form takes a few bytes, and is decoded."""
    data = np.zeros(30000, np.int8)
    data[[17, 29999]] = 5, -7
    codes = Symbols.sparse(data).codes()
    assert codes is not None
    words = codes.encode(data)
    assert len(words) <= 40
    assert decoded(program, [packed(codes, words, data.size)]) == data.tobytes()
