"""`lichen boards`: what can be compiled for."""

from __future__ import annotations

import typer

from lichen.cli.options import Json
from lichen.cli.output import print_json, print_table


def register(app: typer.Typer) -> None:
    app.command("boards", epilog="Example: lichen boards --json")(boards)


def boards(json: Json = False) -> None:
    """List the boards: core, clock, RAM, flash, and the machine that stands for each in emulation."""
    from lichen.targets.board import all_boards

    known = all_boards()
    if json:
        rows = [
            {
                "name": b.name,
                "title": b.title,
                "core": b.core.name,
                "clock_hz": b.clock_hz,
                "ram": b.ram,
                "flash": b.flash,
                "emulator": f"{b.emulator.kind} {b.emulator.machine}" if b.emulator else None,
            }
            for b in known
        ]
        print_json({"boards": rows})
        return
    print_table(
        "Boards",
        ["name", "board", "core", "MHz", "RAM, bytes", "flash, bytes", "emulated by"],
        [
            [
                b.name,
                b.title,
                b.core.name,
                b.clock_hz // 1_000_000,
                b.ram,
                b.flash,
                f"{b.emulator.kind} {b.emulator.machine}" if b.emulator else None,
            ]
            for b in known
        ],
    )
