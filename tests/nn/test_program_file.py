"""Programs on disk: the same bytes for the same program, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from lichen.errors import InputError
from lichen.nn.program_file import save_program
from lichen.nn.quantize import export, quantize
from lichen.reading import load
from torch_nets import randomise

IMAGE = torch.zeros(1, 2, 6, 6)


def test_same_program_same_bytes(tmp_path: Path) -> None:
    """A float and a quantised program made twice are the same files, whatever these are called, and can be read."""
    samples = torch.randn(4, 2, 6, 6, generator=torch.Generator().manual_seed(0))
    for kind in ("float", "int8"):
        for name in ("a", "b"):
            model = randomise(nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 2)))
            program = export(model, IMAGE) if kind == "float" else quantize(model, IMAGE, [samples])
            save_program(program, tmp_path / kind / f"{name}.pt2")
        first, second = (tmp_path / kind / f"{name}.pt2" for name in "ab")
        assert first.read_bytes() == second.read_bytes()
        assert len(load(first).infer.operations) >= 2


def test_nothing_half_written_stays(tmp_path: Path) -> None:
    """Where the file cannot be written that is one sentence, and the folder is as it was."""
    (tmp_path / "taken.pt2").mkdir()
    with pytest.raises(InputError, match="cannot write"):
        save_program(export(nn.Linear(3, 2), torch.zeros(1, 3)), tmp_path / "taken.pt2")
    assert [p.name for p in tmp_path.iterdir()] == ["taken.pt2"]
