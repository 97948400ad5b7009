"""Demonstrations as users run them: a command line in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def answer_of(name: str, *options: object, data: Path | None = None) -> Any:
    """What `lichen demo NAME … --json` prints, with `data` for LICHEN_DATA if it is given."""
    command = [sys.executable, "-m", "lichen", "demo", name, *map(str, options), "--json"]
    environment = os.environ if data is None else {**os.environ, "LICHEN_DATA": str(data)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def refusal_without(package: str, name: str) -> str:
    """What `lichen demo NAME` says where `package` is not installed."""
    block = f"import sys; sys.modules[{package!r}] = None; from lichen.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", block, "demo", name], capture_output=True, text=True)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    return done.stderr
