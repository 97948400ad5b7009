"""What a network would take on the chip, before anything is trained: MACs, RAM as planned, flash as linked."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from lichen.compiler import analyze, compile_model, prepare
from lichen.errors import DoesNotFitError, MissingToolError
from lichen.ir.module import Module
from lichen.ir.operator import operator
from lichen.nn.quantize import export, quantize
from lichen.reading import from_torch

Resource = Literal["macs", "ram", "flash"]

_SAMPLES = 4


def macs(model: nn.Module, example_input: torch.Tensor) -> int:
    """Multiplications of an inference of `model` on `example_input` (1, …), as compiled."""
    module = prepare(from_torch(export(model, example_input)))
    return sum(operator(op.kind).macs(op) for op in module.infer.operations)


def ram(model: nn.Module, example_input: torch.Tensor, board: str) -> int:
    """Bytes of arena and state of `model` in int8, layer by layer, as planned for `board`."""
    found = analyze(_int8(model, example_input), board)
    return found.arena + found.state


def flash(model: nn.Module, example_input: torch.Tensor, board: str, optimize: str = "speed") -> int:
    """Bytes of flash of `model` in int8 as linked for `board`, whether they fit or not; of the weights alone, where these are too many to be linked.

    Raises `MissingToolError` without the compiler.
    """
    with tempfile.TemporaryDirectory() as scratch:
        try:
            done = compile_model(_int8(model, example_input), board, Path(scratch, "model"), optimize)
        except DoesNotFitError as error:
            assert error.compilation is not None
            return error.compilation.flash or error.compilation.weights
    if done.flash is None:
        raise MissingToolError(f"the flash of a network is that of the linked image, and {'; '.join(done.notes)}")
    return done.flash


def footprints(example_input: torch.Tensor, board: str, optimize: str) -> Mapping[Resource, Callable[[nn.Module], int]]:
    """How each resource is measured for inputs like `example_input` (1, …) on `board`."""
    return {
        "macs": lambda model: macs(model, example_input),
        "ram": lambda model: ram(model, example_input, board),
        "flash": lambda model: flash(model, example_input, board, optimize),
    }


def _int8(model: nn.Module, example_input: torch.Tensor) -> Module:
    """The model quantised with whatever ranges: sizes and shapes do not depend on them."""
    random = torch.Generator().manual_seed(0)
    samples = torch.randn(_SAMPLES, *example_input.shape[1:], generator=random)
    return from_torch(quantize(model, example_input, [samples], observer="minmax"))
