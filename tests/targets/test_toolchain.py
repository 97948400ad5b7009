from __future__ import annotations

from pathlib import Path

import pytest

from lichen.errors import MissingToolError
from lichen.targets.toolchain import PACKAGES, BuildError, find_compiler, find_tool, first_error


def pretend(folder: Path, name: str, message: str) -> Path:
    """A program in `folder` that fails with `message`."""
    program = folder / name
    program.write_text(f"#!/bin/sh\ncat >&2 <<'EOF'\n{message}\nEOF\nexit 1\n")
    program.chmod(0o755)
    return folder


@pytest.mark.parametrize("tool", PACKAGES)
def test_a_missing_tool_is_named_with_the_line_that_installs_it(tool: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line to copy, for each tool."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingToolError, match=f"^{tool} is not installed; .*sudo apt-get install {PACKAGES[tool]}$"):
        find_tool(tool)


@pytest.mark.parametrize(
    "message",
    [
        "arm-none-eabi-gcc: fatal error: cannot read spec file 'nano.specs': No such file or directory",
        "port.h:5:10: fatal error: stdint.h: No such file or directory",
        "uart_avr.c:3:10: fatal error: avr/io.h: No such file or directory",
        "ld: cannot find crtatmega328p.o: No such file or directory",
        "ld: cannot find -lm",
    ],
)
def test_a_compiler_without_its_c_library_is_a_missing_tool(
    message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debian packages the library separately; the user is told to install it, not what the compiler said."""
    monkeypatch.setenv("PATH", f"{pretend(tmp_path, 'avr-gcc', message)}:/usr/bin:/bin")
    with pytest.raises(MissingToolError, match=r"without its C library; .*install gcc-avr avr-libc$"):
        find_compiler("avr-gcc").require([], tmp_path)


def test_any_other_failure_is_reported_by_its_first_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of pages of output the line that matters."""
    message = (
        "In file included from x.c:1:\ny.h:2: warning: hm\nx.c:3:1: error: unknown type name 'foo'\nx.c:4: error: more"
    )
    monkeypatch.setenv("PATH", f"{pretend(tmp_path, 'cc', message)}:/usr/bin:/bin")
    with pytest.raises(BuildError, match=r"^cc failed: x.c:3:1: error: unknown type name 'foo'$"):
        find_compiler("cc").require([], tmp_path)
    assert first_error("") == "no message"
    assert first_error("last words\n\n") == "last words"
