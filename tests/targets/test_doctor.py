from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from lichen.targets import doctor
from lichen.targets.doctor import examine


def test_what_is_there_is_found_with_its_version() -> None:
    """Programs are found on the path, packages in the environment."""
    findings = {finding.tool: finding for finding in examine()}
    for tool in ("cc", "arm-none-eabi-gcc", "avr-gcc", "qemu-system-arm"):
        assert findings[tool].installed == (shutil.which(tool) is not None)
        assert not findings[tool].installed or findings[tool].version[0].isdigit()
    if "torch" in sys.modules:
        assert findings["torch"].version == sys.modules["torch"].__version__


def test_what_is_missing_comes_with_what_it_would_enable_and_the_line_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a bare machine every tool is reported missing, and how to get it."""
    monkeypatch.setenv("PATH", "")
    findings = {finding.tool: finding for finding in examine()}
    assert not findings["qemu-system-arm"].installed
    assert findings["qemu-system-arm"].install == "sudo apt-get install qemu-system-arm"
    assert all(finding.enables for finding in findings.values())
    monkeypatch.setattr(doctor, "_TOOLS", (("x", doctor._package("no-such-package"), "", doctor._extra("torch")),))
    (missing,) = examine()
    assert (missing.version, missing.install) == (None, "pip install 'lichen[torch]'")


def test_a_program_that_does_not_run_counts_as_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of the right name that cannot be executed is no compiler."""
    program = tmp_path / "avr-gcc"
    program.write_text("#!/nowhere/interpreter\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not next(finding for finding in examine() if finding.tool == "avr-gcc").installed
