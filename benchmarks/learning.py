"""What learning on the chip costs beside inference, and the figures that others have published.

RAM and flash are as linked, instructions emulated under `-icount shift=0`, cycles modelled, all of one call with zeros.

    make bench-learning
"""

from __future__ import annotations

import os
import tempfile
from itertools import pairwise
from pathlib import Path

import torch
from torch import nn

from lichen.compiler import Compilation, compile_model
from lichen.demos.published import TINY_TRAINING, TINYOL
from lichen.ir.module import Module
from lichen.learning.learner import Learning
from lichen.reading import from_torch, load


def main() -> None:
    person_detector = Path(os.environ["LICHEN_DATA"]) / "models" / "vww_96_int8.tflite"
    print(
        "| model | learns | RAM, bytes | flash, bytes | of it for learning | instructions to infer | to infer and learn | more |"
    )
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for batch in (1, 20):
        what = f"everything, batches of {batch}"
        learning = Learning("all", "mean_squared_error", batch=batch)
        print(row("4-32-32-32-1 on nucleo-f411re", what, power_plant(), "nucleo-f411re", learning), flush=True)
    what = "everything, batches of 1"
    print(
        row("5 layers on 16x16x3 on nucleo-f411re", what, convolutional(), "nucleo-f411re", Learning("all")), flush=True
    )
    for choice in ("last:1", "head:classes=2"):
        detector = load(person_detector)
        print(row("vww_96_int8 on mps2-an386", choice, detector, "mps2-an386", Learning(choice)), flush=True)
    for peer in (TINYOL, TINY_TRAINING):
        cells = f"| | | {peer.infer:,g} {peer.unit} | {peer.learn:,g} | +{100 * peer.more:.1f} % |"
        print(f"| {peer.what} | {peer.source} | {cells}")


def power_plant() -> Module:
    """The network of `lichen demo power-plant`."""
    torch.manual_seed(0)
    sizes = (4, 32, 32, 32)
    hidden = [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.ReLU())]
    network = nn.Sequential(*hidden, nn.Linear(32, 1))
    return from_torch(torch.export.export(network, (torch.zeros(1, 4),)), "power_plant")


def convolutional() -> Module:
    """Every kind of convolution, a first layer of three channels, and a dense layer."""
    torch.manual_seed(0)
    layers = [
        nn.Conv2d(3, 8, 3, stride=2, padding=1),
        nn.Conv2d(8, 8, 3, padding=1, groups=8),
        nn.Conv2d(8, 16, 1),
        nn.Conv2d(16, 16, 3, stride=2, padding=1),
    ]
    rectified = [part for layer in layers for part in (layer, nn.ReLU())]
    network = nn.Sequential(*rectified, nn.Flatten(), nn.Linear(256, 10))
    return from_torch(torch.export.export(network, (torch.zeros(1, 3, 16, 16),)), "convolutional")


def row(name: str, what: str, module: Module, board: str, learning: Learning) -> str:
    """One line of the table."""
    with tempfile.TemporaryDirectory() as folder:
        built: Compilation = compile_model(module, board, Path(folder) / "model", learning=learning)
    infer, learn = built.functions
    assert infer.instructions is not None and learn.instructions is not None
    more = 100 * (learn.instructions / infer.instructions - 1)
    return (
        f"| {name} | {what} | {built.ram:,} | {built.flash:,} | {learn.flash:,} | {infer.instructions:,} "
        f"| {learn.instructions:,} | +{more:.1f} % |"
    )


if __name__ == "__main__":
    main()
