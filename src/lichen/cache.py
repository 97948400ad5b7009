"""Where Lichen keeps what it need not make or fetch twice; this file stands below all rooms."""

from __future__ import annotations

import os
from pathlib import Path


def cache_root() -> Path:
    """`$LICHEN_CACHE`, or `~/.cache/lichen`."""
    override = os.environ.get("LICHEN_CACHE")
    return Path(override).absolute() if override else Path.home() / ".cache" / "lichen"
