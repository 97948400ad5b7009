"""`lichen demo`: a published result, rebuilt before your eyes."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from lichen.cli.options import Json
from lichen.cli.output import messages, print_json, print_table, progress_bar
from lichen.errors import MissingToolError


def register(app: typer.Typer) -> None:
    demo = typer.Typer(help="Rebuild a published result on real data.", no_args_is_help=True)
    demo.command("digits", epilog="Example: lichen demo digits --out build/digits")(digits)
    app.add_typer(demo, name="demo")


def digits(
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Keep the compiled models in this folder.")] = None,
    json: Json = False,
) -> None:
    """Train two digit classifiers, quantise them, and run them on an emulated Cortex-M4 and an emulated Arduino Uno."""
    try:
        from lichen.demos.digits import run
    except ModuleNotFoundError as error:
        raise MissingToolError(
            f"the demo needs the package {error.name}, which is not installed: pip install 'lichen[torch,data]'"
        ) from error

    stages = run(progress_bar, lambda remark: messages.print(remark), out)
    if json:
        print_json({"stages": [asdict(stage) for stage in stages]})
        return
    print_table(
        "Handwritten digits (accuracy on 1,000 unseen ones; cycles modelled on nano33ble, emulated on uno)",
        ["stage", "board", "accuracy", "RAM, bytes", "flash, bytes", "instructions", "cycles", "ms", "fits"],
        [list(asdict(stage).values()) for stage in stages],
    )
    if out is not None:
        print(f"the compiled models are in {out}")
