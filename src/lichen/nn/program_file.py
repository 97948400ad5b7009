"""Writes `torch.export` programs to `.pt2` files: equal programs are equal bytes, and a file is there whole or not at all."""

from __future__ import annotations

import io
from pathlib import Path

import torch
from torch.export import ExportedProgram

from lichen.errors import InputError
from lichen.nn.quiet import quiet
from lichen.whole_file import whole_file

_HISTORY = ("from_node", "stack_trace")  # which pass made a node, with addresses in memory; where the code stood


def save_program(program: ExportedProgram, path: Path) -> None:
    """Writes `program`, which loses the history of its nodes, to `path`. Folders are made as needed. Raises `InputError` if it cannot be written."""
    for node in program.graph.nodes:
        for key in _HISTORY:
            node.meta.pop(key, None)
    buffer = io.BytesIO()
    with quiet():
        torch.export.save(program, buffer)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error
    with whole_file(path) as file:
        file.write(buffer.getvalue())
