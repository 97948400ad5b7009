"""What a network would take is what it takes when it is compiled."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lichen.compiler import compile_model
from lichen.compression.footprint import footprints
from lichen.nn.quantize import quantize
from lichen.nn.residual import Residual
from lichen.reading import from_torch
from torch_nets import randomise

IMAGE = torch.zeros(1, 3, 8, 8)


def test_figures_are_those_of_the_compiled_network(tmp_path: Path, needs: Callable[..., None]) -> None:
    """MACs are PyTorch's flops halved; RAM and flash are those of the network quantised with other ranges, compiled for the board."""
    needs("arm-none-eabi-gcc")
    model = randomise(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), Residual(8, 8), nn.Flatten(), nn.Linear(288, 5)))
    measures = footprints(IMAGE, "nano33ble", "size")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(IMAGE)
    assert measures["macs"](model) == counter.get_total_flops() / 2
    samples = torch.rand(8, 3, 8, 8, generator=torch.Generator().manual_seed(5))
    done = compile_model(from_torch(quantize(model, IMAGE, [samples])), "nano33ble", tmp_path / "model", "size")
    assert measures["ram"](model) == done.arena + done.state
    assert done.flash is not None and abs(measures["flash"](model) - done.flash) <= 64  # constants of other scales


def test_flash_of_what_does_not_fit_is_told(needs: Callable[..., None]) -> None:
    """Flash is told where the image is larger than the board's; where tables are too large to be linked at all it is theirs."""
    needs("arm-none-eabi-gcc", "avr-gcc")
    image = torch.zeros(1, 1, 16, 16)
    model = randomise(nn.Sequential(nn.Flatten(), nn.Linear(256, 115), nn.ReLU(), nn.Linear(115, 5)))
    assert 32_256 < footprints(image, "uno", "size")["flash"](model) < 40_000
    huge = randomise(nn.Sequential(nn.Flatten(), nn.Linear(256, 400), nn.ReLU(), nn.Linear(400, 5)))
    assert footprints(image, "uno", "size")["flash"](huge) == pytest.approx(256 * 400, rel=0.06)
