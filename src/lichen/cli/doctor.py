"""`lichen doctor`: what is installed, and what is missing for what."""

from __future__ import annotations

import typer

from lichen.cli.options import Json
from lichen.cli.output import print_json, print_table


def register(app: typer.Typer) -> None:
    app.command("doctor", epilog="Example: lichen doctor")(doctor)


def doctor(json: Json = False) -> None:
    """Say which compilers, emulators and packages are installed, what each missing one would enable, and how to install it."""
    from lichen.targets.doctor import examine

    findings = examine()
    if json:
        keys = ("tool", "version", "enables", "install")
        print_json({"tools": [{key: getattr(finding, key) for key in keys} for finding in findings]})
        return
    print_table(
        "Tools",
        ["tool", "version", "enables", "to install"],
        [[f.tool, f.version or "missing", f.enables, None if f.installed else f.install] for f in findings],
    )
