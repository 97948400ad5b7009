"""Arguments and options that several verbs share, so that they read the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Model = Annotated[Path, typer.Argument(help="A .tflite file, a saved torch.export program (.pt2), or a .lichen graph.")]
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="A model folder that `lichen compile` wrote.")]
On = Annotated[
    str, typer.Option("--on", help="native, qemu, simavr, or the serial port of a board such as /dev/ttyACM0.")
]
Input = Annotated[
    Path,
    typer.Option(
        "--input",
        metavar="X.npy",
        help="Samples (n, *input shape), in the model's type or float32; .npz if there are several inputs.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
