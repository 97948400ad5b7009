"""`lichen compress`: a network becomes smaller stage by stage, each measured as compiled."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lichen.cli.options import Json, RecipeFile, Seed
from lichen.cli.output import messages, print_json, print_table
from lichen.cli.steps import step_bars
from lichen.errors import MissingToolError


def register(app: typer.Typer) -> None:
    app.command("compress", epilog="Example: lichen compress examples/digits.toml --out build/digits")(compress)


def compress(
    recipe: RecipeFile,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Keeps every stage with its compiled model, result.json and the picture; else build/, with the recipe's name. What is complete "
            "there is not done again.",
        ),
    ] = None,
    logs: Annotated[Path | None, typer.Option(metavar="DIR", help="Write logs for TensorBoard there.")] = None,
    seed: Seed = None,
    json: Json = False,
) -> None:
    """Train, distil, prune and quantise a network as a recipe says; accuracy and bytes after every stage."""
    from lichen import compressing
    from lichen.report.picture import require_matplotlib

    folder = out or Path("build", recipe.stem)
    try:
        require_matplotlib()
        pictures = True
    except MissingToolError as error:
        messages.print(f"going on without a picture: {error}")
        pictures = False
    with step_bars() as watch:
        done = compressing.compress(
            recipe,
            folder,
            seed,
            watch,
            lambda figures, was_there: messages.print(
                f"{figures.name}: accuracy {figures.accuracy:.3f}{', from an earlier run' if was_there else ''}"
            ),
            logs,
            pictures,
        )
    kept = f"{compressing.RESULT} and {compressing.PICTURE if pictures else 'no picture'}"
    messages.print(f"the stages, {kept} are in {folder}")
    if json:
        print_json(done.answer())
        return
    print_table(
        f"{recipe.name} (accuracy on the test part, flash as linked)",
        ["stage", "accuracy", "weights, bytes", "flash, bytes", "MACs"],
        [[s.name, s.accuracy, s.weights_bytes, s.flash_bytes, s.macs] for s in done.stages],
    )
    print(
        f"weights {done.ratio_vs_float32:.1f} times smaller than in float32, {done.ratio_vs_int8:.1f} times smaller than in plain int8"
    )
    if done.sensitivity is not None:
        print_table(
            f"Accuracy on training samples: float32 {done.sensitivity['accuracy_float']:.3f}, int8 {done.sensitivity['accuracy_int8']:.3f}",
            ["layer", "only it in int8", "all but it in int8"],
            [[layer["name"], layer["only"], layer["all_but"]] for layer in done.sensitivity["layers"]],
        )
