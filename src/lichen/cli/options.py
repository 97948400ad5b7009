"""Arguments and options that several verbs share, so that they read the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Model = Annotated[Path, typer.Argument(help="A .tflite file, a saved torch.export program (.pt2), or a .lichen graph.")]
RecipeFile = Annotated[
    Path,
    typer.Argument(metavar="RECIPE.toml", help="A TOML file with data, network, training and stages; see examples/."),
]
Seed = Annotated[int | None, typer.Option(min=0, help="Takes the place of the recipe's seed.")]
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
Learn = Annotated[
    str | None,
    typer.Option(
        help="Learn on the device: all, biases, last:K, or an online layer: head:classes=N,inputs=TENSOR+TENSOR "
        "(and labels=, forgetting=, good_enough=)."
    ),
]
Loss = Annotated[
    str,
    typer.Option(help="softmax_cross_entropy, sigmoid_cross_entropy, mean_squared_error or mean_absolute_error."),
]
Batch = Annotated[int, typer.Option(help="Samples whose mean gradient makes one step.")]
Momentum = Annotated[float, typer.Option(help="As in PyTorch's SGD.")]
WeightDecay = Annotated[float, typer.Option(help="As in PyTorch's SGD.")]
InputRows = Annotated[
    bool,
    typer.Option(
        "--input-rows", help="Images among the inputs come row by row from a callback, instead of lying in the arena."
    ),
]
RowsAgain = Annotated[
    bool,
    typer.Option(
        "--rows-again",
        help="The callback of --input-rows can begin anew with row 0 within an inference: schedules may use strips.",
    ),
]
Weights = Annotated[
    str,
    typer.Option(
        help="plain: weights lie in flash as kernels read them; coded: in Huffman codes where that is smaller, decoded on the chip."
    ),
]
