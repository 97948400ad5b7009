"""Reads files in the text form of the graph."""

from __future__ import annotations

from pathlib import Path

import lichen.ops  # noqa: F401  (the text names operators; this registers them)
from lichen.errors import InputError, LichenError
from lichen.ir.module import Module
from lichen.ir.parse import parse_module


def load_text(path: Path) -> Module:
    """The module in a file; its name is the one in the text. Raises `InputError` that begins with the name of the file."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name}: byte {error.start} is not text") from error
    try:
        return parse_module(text)
    except LichenError as error:
        raise type(error)(f"{path.name}: {error}") from error
