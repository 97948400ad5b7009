"""The verbs of `lichen`, gathered."""

from __future__ import annotations

import importlib

import typer

VERBS = ("demo", "analyze", "compile", "validate", "run", "profile", "boards", "doctor")

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

for _verb in VERBS:
    importlib.import_module(f"lichen.cli.{_verb}").register(app)
