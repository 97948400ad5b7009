"""`lichen profile`: where the time goes, operator by operator."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lichen.cli.options import Folder, Json
from lichen.cli.output import messages, print_json, print_table


def register(app: typer.Typer) -> None:
    app.command("profile", epilog="Example: lichen profile build/model --on qemu")(profile)


def profile(
    model: Folder,
    on: Annotated[
        str, typer.Option("--on", help="qemu or simavr: the emulator of the board the model was compiled for.")
    ],
    samples: Annotated[
        Path | None,
        typer.Option("--input", metavar="X.npy", help="Profile the first of these samples; zeros if not given."),
    ] = None,
    function: Annotated[str, typer.Option(help="infer, or learn of a model that was compiled with --learn.")] = "infer",
    json: Json = False,
) -> None:
    """Count instructions and cycles of each operator in one inference, or one lesson, on an emulated chip."""
    from lichen.device.count import profile as run
    from lichen.device.validate import load_graph
    from lichen.ir.samples import load_samples
    from lichen.targets.folder import open_folder

    folder = open_folder(model)
    folder.function(function)
    inputs = None
    if samples is not None:
        inputs = [x[:1] for x in load_samples(samples, load_graph(folder).functions[function].inputs)[0]]
    with messages.status(f"profiling on {on}"):
        result = run(folder, on, inputs, function)
    total = result.total
    figures: dict[str, Any] = {"macs": total.macs, "instructions": total.instructions, "cycles": total.cycles}
    if json:
        keys = ("name", "kind", "macs", "instructions", "cycles")
        ops = [{key: getattr(op, key) for key in keys} for op in result.ops]
        print_json({"ops": ops, "total": figures, "cycles_are": result.cycles_are})
        return
    rows = [
        [op.name, op.kind, op.macs, op.instructions, op.cycles, op.instructions / op.macs if op.macs else None, share]
        for op in result.ops
        for share in [f"{100 * op.instructions / max(total.instructions, 1):.1f} %"]
    ]
    rows.append(["total", "", total.macs, total.instructions, total.cycles, None, ""])
    print_table(
        f"{folder.name} on {on}, {function}: instructions emulated, cycles {result.cycles_are or 'unknown for this core'}",
        ["operator", "kind", "MACs", "instructions", "cycles", "instructions per MAC", "share"],
        rows,
    )
