"""`lichen train`: a network learns a data set and becomes a .pt2 file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lichen.cli.options import Json, RecipeFile, Seed
from lichen.cli.output import print_json
from lichen.cli.steps import step_bars


def register(app: typer.Typer) -> None:
    app.command("train", epilog="Example: lichen train examples/digits.toml --out build/digits.pt2")(train)


def train(
    recipe: RecipeFile,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.pt2", help="The file to write; else build/, with the recipe's name.")
    ] = None,
    seed: Seed = None,
    json: Json = False,
) -> None:
    """Train the network of a recipe, without its stages, and write it as a torch.export program."""
    from lichen import compressing

    path = out or Path("build", f"{recipe.stem}.pt2")
    with step_bars() as watch:
        done = compressing.train(recipe, path, seed, watch)
    if json:
        print_json(
            {"path": str(path), "accuracy": done.accuracy, "weights_bytes": done.weights_bytes, "macs": done.macs}
        )
        return
    print(
        f"accuracy {done.accuracy:.3f} on the test part, {done.weights_bytes:,} bytes of weights in float32, {done.macs:,} MACs"
    )
    print(f"written to {path}")
