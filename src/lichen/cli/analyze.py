"""`lichen analyze`: what a model will take, without a compiler."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from lichen.cli.options import Json, Model
from lichen.cli.output import print_json, print_table


def register(app: typer.Typer) -> None:
    app.command("analyze", epilog="Example: lichen analyze model.tflite --board nano33ble")(analyze)


def analyze(
    model: Model,
    board: Annotated[str | None, typer.Option(help="Plan for this board, and say whether it can fit.")] = None,
    json: Json = False,
) -> None:
    """Plan a model: operators, MACs, weights, arena with its lower bound. Needs neither a C compiler nor a board."""
    from lichen.compiler import analyze as run
    from lichen.reading import load

    analysis = run(load(model), board)
    operations = [
        {"name": op.name, "kind": op.kind, "shape": list(op.shape), "macs": op.macs, "weights": op.weights}
        for op in analysis.operations
    ]
    schedules: list[dict[str, Any]] = [
        {
            "arena": schedule.arena,
            "macs": analysis.macs,
            "rows": schedule.rows,
            "regions": [[region.operations[0].name, region.operations[-1].name] for region in schedule.regions],
        }
        for schedule in analysis.schedules
    ]
    if json:
        print_json(
            {
                "name": analysis.name,
                "board": analysis.board.name if analysis.board else None,
                "macs": analysis.macs,
                "ram": {"arena": analysis.arena, "state": analysis.state, "lower_bound": analysis.lower_bound},
                "flash": {"weights": analysis.weights},
                "fits": analysis.fits,
                "ops": operations,
                "schedules": schedules,
            }
        )
    else:
        print_table(
            f"{analysis.name}: operators",
            ["name", "kind", "result", "MACs", "weights, bytes"],
            [[op.name, op.kind, "x".join(map(str, op.shape)), op.macs, op.weights] for op in analysis.operations],
        )
        print(f"{analysis.macs:,} MACs; weights {analysis.weights:,} B; state {analysis.state:,} B")
        gap = analysis.arena - analysis.lower_bound
        print(
            f"arena {analysis.arena:,} B planned ({analysis.method}), lower bound {analysis.lower_bound:,} B, gap {gap:,} B"
        )
        print_table(
            "schedules (planned; streamed rows cost a few instructions each, no MACs)",
            ["arena, bytes", "MACs", "streamed rows", "streamed operations"],
            [
                [
                    s["arena"],
                    s["macs"],
                    s["rows"],
                    ", ".join(f"{first} to {last}" for first, last in s["regions"]) or "none",
                ]
                for s in schedules
            ],
        )
        if analysis.board is not None:
            verdict = "can fit" if analysis.fits else "does not fit"
            print(
                f"{verdict} {analysis.board.title}: {analysis.board.ram:,} B of RAM, {analysis.board.flash:,} B of flash"
            )
    if analysis.fits is False:
        raise typer.Exit(1)
