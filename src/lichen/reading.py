"""From a model's file, or a PyTorch program, to the graph that is compiled.

A program quantised by PT2E writes int8 operators as float operators between `dequantize` and `quantize`; making int8 operators of
them is part of reading it.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from lichen import frontends
from lichen.ir.module import Module
from lichen.passes.integerize import integerize

if TYPE_CHECKING:
    from torch.export import ExportedProgram


class StaysFloatWarning(UserWarning):
    """Parts of a quantised program have no int8 counterpart and are computed in floating point."""


def load(path: str | Path) -> Module:
    """Reads a `.tflite` file, a saved `torch.export` program (`.pt2`) or a `.lichen` graph.

    Raises `InputError` for any other or a damaged file, `UnsupportedError` for what Lichen does not have. Warns with
    `StaysFloatWarning`.
    """
    path = Path(path)
    module = frontends.load(path)
    if path.suffix == ".pt2":
        _integerize(module)
    return module


def from_torch(program: ExportedProgram, name: str = "model") -> Module:
    """The graph of a `torch.export` program, in float32 or quantised (`lichen.nn.quantize`). Raises and warns as `load` does."""
    from lichen.frontends.torch_export import from_exported_program

    module = from_exported_program(program, name)
    _integerize(module)
    return module


def _integerize(module: Module) -> None:
    left = integerize(module)
    if left:
        shown = ", ".join(left[:5]) + (f" and {len(left) - 5} more" if len(left) > 5 else "")
        warnings.warn(
            f"{module.name}: {len(left)} operators of this quantised program stay in floating point: {shown}",
            StaysFloatWarning,
            stacklevel=3,
        )
