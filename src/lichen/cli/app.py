"""The verbs of `lichen`, gathered."""

from __future__ import annotations

import importlib
from typing import Annotated

import typer

from lichen import __version__

VERBS = (
    "demo",
    "train",
    "compress",
    "analyze",
    "compile",
    "validate",
    "run",
    "learn",
    "profile",
    "search",
    "boards",
    "doctor",
)

app = typer.Typer(
    name="lichen",
    help="Deep learning on microcontrollers: compile a network to C, prove it right before it is flashed.",
    epilog="Start with: lichen demo digits",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False,
) -> None:
    if version:
        print(f"lichen {__version__}")
        raise typer.Exit()


for _verb in VERBS:
    importlib.import_module(f"lichen.cli.{_verb}").register(app)
