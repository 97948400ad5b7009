"""What the fixture `server` of tests/data gives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass
class Server:
    """A web server of `folder`; `requests` are the paths it was asked for."""

    folder: Path
    url: str
    requests: list[str]
