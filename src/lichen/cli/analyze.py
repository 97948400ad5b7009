"""`lichen analyze`: what a model will take, without a compiler."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lichen.cli.coded import coded_json, print_coded
from lichen.cli.costs import costs_json, print_costs
from lichen.cli.options import Batch, InputRows, Json, Learn, Loss, Model, Momentum, RowsAgain, WeightDecay, Weights
from lichen.cli.output import print_json, print_table

if TYPE_CHECKING:
    from lichen.report.occupancy import Occupancy


def register(app: typer.Typer) -> None:
    app.command("analyze", epilog="Example: lichen analyze model.tflite --board nano33ble")(analyze)


def analyze(
    model: Model,
    board: Annotated[str | None, typer.Option(help="Plan for this board, and say whether it can fit.")] = None,
    ram: Annotated[
        int | None, typer.Option(metavar="BYTES", help="Show the fastest schedule whose arena fits into this.")
    ] = None,
    learn: Learn = None,
    loss: Loss = "softmax_cross_entropy",
    batch: Batch = 1,
    momentum: Momentum = 0.0,
    weight_decay: WeightDecay = 0.0,
    picture: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Draw the arena over time, before and after, and the front, as .png or .svg."
        ),
    ] = None,
    weights: Weights = "plain",
    input_rows: InputRows = False,
    rows_again: RowsAgain = False,
    json: Json = False,
) -> None:
    """Plan a model: operators, MACs, weights, arena with its lower bound, schedules. Needs neither a C compiler nor a board.

    With --learn, what learning costs beside inference; flash and instructions of both with a --board whose compiler and emulator are installed.

    The arena over time is shown layer by layer and for the schedule of the least memory, or the one that --ram asks for.
    """
    from lichen.compiler import analyze as run
    from lichen.ir.kernel import PLAIN
    from lichen.reading import load
    from lichen.report.occupancy import occupancy_of

    loaded = load(model)
    if picture is not None:
        from lichen.report.picture import require_format

        require_format(picture)
    learning = None
    if learn is not None:
        from lichen.learning.learner import Learning

        learning = Learning(learn, loss, batch=batch, momentum=momentum, weight_decay=weight_decay)
    analysis = run(loaded, board, learning=learning, input_rows=input_rows, rows_again=rows_again, weights=weights)
    core = analysis.board.core if analysis.board else PLAIN
    before = analysis.schedules[0]
    after = next((s for s in analysis.schedules if ram is not None and s.arena <= ram), analysis.schedules[-1])
    arenas = {
        f"{'streamed' if s.regions else 'layer by layer'}: {s.arena:,} bytes": occupancy_of(
            analysis.module.infer, core, s
        )
        for s in (before, after)
        if picture is not None or not json
    }
    if picture is not None:
        from lichen.report.arena import Point, draw_arena

        draw_arena(picture, analysis.name, arenas, [Point(s.macs, s.arena) for s in analysis.schedules])
    is_coded = weights == "coded"
    operations = [
        {"name": op.name, "kind": op.kind, "shape": list(op.shape), "macs": op.macs, "weights": op.weights}
        for op in analysis.operations
    ]
    schedules: list[dict[str, Any]] = [
        {
            "arena": schedule.arena,
            "macs": schedule.macs,
            "rows": schedule.rows,
            "regions": [[region.operations[0].name, region.operations[-1].name] for region in schedule.regions],
            "strips": [len(region.passes) for region in schedule.regions],
        }
        for schedule in analysis.schedules
    ]
    if json:
        print_json(
            {
                "name": analysis.name,
                "board": analysis.board.name if analysis.board else None,
                "macs": analysis.macs,
                "ram": {
                    "arena": analysis.arena,
                    "state": analysis.state,
                    "lower_bound": analysis.lower_bound,
                    **({"decoded": analysis.decoded} if is_coded else {}),
                },
                "flash": {
                    "weights": analysis.weights,
                    **({"plain_weights": analysis.plain_weights} if is_coded else {}),
                },
                "fits": analysis.fits,
                "functions": costs_json(analysis.functions),
                "ops": operations,
                "schedules": schedules,
                "input_rows": analysis.input_rows,
                "picture": str(picture) if picture is not None else None,
                **({"coded": coded_json(analysis.coded)} if is_coded else {}),
            }
        )
    else:
        print_table(
            f"{analysis.name}: operators",
            ["name", "kind", "result", "MACs", "weights, bytes"],
            [[op.name, op.kind, "x".join(map(str, op.shape)), op.macs, op.weights] for op in analysis.operations],
        )
        plain = f" (plain {analysis.plain_weights:,} B, decoded once {analysis.decoded:,} B of RAM)" if is_coded else ""
        print(f"{analysis.macs:,} MACs; weights {analysis.weights:,} B{plain}; state {analysis.state:,} B")
        gap = analysis.arena - analysis.lower_bound
        print(
            f"arena {analysis.arena:,} B planned ({analysis.method}), lower bound {analysis.lower_bound:,} B, gap {gap:,} B"
        )
        print_table(
            "schedules (planned; streamed rows cost a few instructions each, strips compute columns twice)",
            ["arena, bytes", "MACs", "streamed rows", "streamed operations"],
            [
                [
                    s["arena"],
                    s["macs"],
                    s["rows"],
                    ", ".join(map(_streamed, s["regions"], s["strips"])) or "none",
                ]
                for s in schedules
            ],
        )
        print_coded(analysis.coded)
        print_costs(analysis.functions)
        _print_arenas(arenas)
        if picture is not None:
            print(f"the picture is {picture}")
        if analysis.board is not None:
            verdict = "can fit" if analysis.fits else "does not fit"
            print(
                f"{verdict} {analysis.board.title}: {analysis.board.ram:,} B of RAM, {analysis.board.flash:,} B of flash"
            )
    if analysis.fits is False:
        raise typer.Exit(1)


def _print_arenas(arenas: dict[str, Occupancy]) -> None:
    from lichen.report.chart import chart

    top = max(occupancy.peak for occupancy in arenas.values())
    print("arena bytes in use, from the first operator to the last (planned; ═ streamed)")
    for name, occupancy in arenas.items():
        print(name)
        for line in chart(occupancy, top):
            print(line)


def _streamed(region: tuple[str, str], strips: int) -> str:
    return f"{region[0]} to {region[1]}{f' in {strips} strips' if strips > 1 else ''}"
