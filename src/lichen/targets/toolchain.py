"""The compilers: finding them, running them, and the flags that are the same for everything Lichen builds."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lichen.errors import LichenError, MissingToolError

PACKAGES = {
    "cc": "build-essential",
    "arm-none-eabi-gcc": "gcc-arm-none-eabi libnewlib-arm-none-eabi",
    "avr-gcc": "gcc-avr avr-libc",
    "qemu-system-arm": "qemu-system-arm",
    "simavr": "simavr libsimavr-dev",
}
"""Tool -> the Debian packages that bring it."""

# What compilers say without their C library, which Debian packages separately and some installations leave out.
_NO_LIBRARY = re.compile(
    r"cannot read spec file|fatal error: (stdint|stddef|string|math|stdio|avr/\w+)\.h: No such file|cannot find (crt\w+\.o|-lc|-lm)\b"
)

# No contraction: a fused multiply-add rounds once where the host rounds twice, and floats would differ between targets.
C_FLAGS = ("-std=c99", "-ffp-contract=off", "-ffunction-sections", "-fdata-sections")


class BuildError(LichenError):
    """A compiler refused code that Lichen wrote or copied, which is a fault of Lichen or of an altered model folder."""


@dataclass(frozen=True)
class Compiler:
    """A C compiler: where it is, and its version as part of a build's digest."""

    path: str
    version: str

    def run(self, arguments: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
        """Runs it in `folder`, messages in English so that they can be told apart."""
        return subprocess.run(
            [self.path, *arguments], cwd=folder, capture_output=True, text=True, errors="replace", env=_environment()
        )

    def require(self, arguments: Sequence[str], folder: Path) -> None:
        """Runs it, and `check`s the result."""
        self.check(self.run(arguments, folder))

    def check(self, result: subprocess.CompletedProcess[str]) -> None:
        """Raises a `BuildError` with the first error line if a run has failed, a `MissingToolError` if its C library is not there."""
        if result.returncode == 0:
            return
        name = Path(self.path).name
        if _NO_LIBRARY.search(result.stderr):
            raise MissingToolError(f"{name} is installed without its C library; install it with: {install_line(name)}")
        raise BuildError(f"{name} failed: {first_error(result.stderr)}")


def find_tool(name: str) -> str:
    """The path of program `name`; a `MissingToolError` with the line that installs it otherwise."""
    path = shutil.which(name)
    if path is None:
        raise MissingToolError(f"{name} is not installed; install it with: {install_line(name)}")
    return path


def install_line(tool: str) -> str:
    """The command that installs `tool` on Debian."""
    return f"sudo apt-get install {PACKAGES[tool]}"


@cache
def _version(path: str) -> str:
    result = subprocess.run([path, "--version"], capture_output=True, text=True, errors="replace", env=_environment())
    return result.stdout.partition("\n")[0]


def find_compiler(name: str) -> Compiler:
    """The compiler called `name`: `cc`, `arm-none-eabi-gcc` or `avr-gcc`. Raises `MissingToolError`."""
    path = find_tool(name)
    return Compiler(path, _version(path))


def first_error(stderr: str) -> str:
    """The line of a compiler's output that says what went wrong."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    return next(
        (line for line in lines if "error:" in line or "undefined reference" in line),
        lines[-1] if lines else "no message",
    )


def _environment() -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C"}
