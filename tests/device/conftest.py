"""The toy firmware as a process of the host, under sanitizers."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import lichen
from lichen.device import Session
from lichen.targets.process import ProcessTransport

TOY = Path(__file__).parent / "toy"
SOURCE = Path(lichen.__file__).parent
RUNTIME = SOURCE / "backend/runtime"
INCLUDES = [f"-I{path}" for path in (RUNTIME, SOURCE / "backend/kernels", SOURCE / "targets/firmware", TOY)]
WARNINGS = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Werror"]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


def build_toy(out: Path, *flags: str) -> Path:
    """Compiles the firmware of the toy model for the host."""
    sources = [str(RUNTIME / "main.c"), str(TOY / "port_host.c")]
    command = [
        "gcc",
        *WARNINGS,
        "-O1",
        "-g",
        "-D_POSIX_C_SOURCE=200809L",
        *SANITIZERS,
        *INCLUDES,
        *flags,
        *sources,
        "-o",
        str(out),
    ]
    subprocess.run(command, check=True)
    return out


@pytest.fixture(scope="session")
def toy_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The firmware as users run it."""
    return build_toy(tmp_path_factory.mktemp("toy") / "toy")


@pytest.fixture(scope="session")
def validating_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The firmware that can stop between two kernel calls."""
    return build_toy(tmp_path_factory.mktemp("toy") / "validating", "-DLICHEN_VALIDATE", "-include", "lichen_stop.h")


@pytest.fixture(scope="session")
def small_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The firmware with the frames of an AVR, 64 bytes of payload."""
    return build_toy(tmp_path_factory.mktemp("toy") / "small", "-DLICHEN_MAX_PAYLOAD=64")


@pytest.fixture(scope="session")
def small_validating_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both."""
    flags = ("-DLICHEN_VALIDATE", "-include", "lichen_stop.h", "-DLICHEN_MAX_PAYLOAD=64")
    return build_toy(tmp_path_factory.mktemp("toy") / "small_validating", *flags)


@pytest.fixture(scope="session")
def rows_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The firmware of the toy model whose first input comes by rows, in a validating build."""
    flags = ("-DTOY_ROWS", "-DLICHEN_VALIDATE", "-include", "lichen_stop.h")
    return build_toy(tmp_path_factory.mktemp("toy") / "rows", *flags)


@pytest.fixture(scope="session")
def small_rows_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with frames that carry less than a row."""
    flags = ("-DTOY_ROWS", "-DLICHEN_VALIDATE", "-include", "lichen_stop.h", "-DLICHEN_MAX_PAYLOAD=24")
    return build_toy(tmp_path_factory.mktemp("toy") / "small_rows", *flags)


Connect = Callable[[Path], Session]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Opens sessions and closes them after the test."""
    sessions: list[Session] = []

    def open_session(program: Path) -> Session:
        sessions.append(Session(ProcessTransport([str(program)], "toy")))
        return sessions[-1]

    yield open_session
    for session in sessions:
        session.close()
