"""`lichen compile`: a model becomes a folder of C, linked and measured for a board."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lichen.cli.coded import coded_json, print_coded
from lichen.cli.costs import costs_json, print_costs
from lichen.cli.options import Batch, InputRows, Json, Learn, Loss, Model, Momentum, RowsAgain, WeightDecay, Weights
from lichen.cli.output import messages, print_json, print_table
from lichen.errors import DoesNotFitError

if TYPE_CHECKING:
    from lichen.compiler import Compilation


def register(app: typer.Typer) -> None:
    app.command("compile", epilog="Example: lichen compile model.tflite --board nano33ble --out build/model")(compile_)


def compile_(
    model: Model,
    board: Annotated[str, typer.Option(help="The board to compile for; `lichen boards` lists them.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder to write.")],
    optimize: Annotated[
        str,
        typer.Option(
            help="speed: fast loops, each kernel specialised to each layer; balanced: the same, compiled for size; size: short loops, one copy of "
            "a kernel."
        ),
    ] = "speed",
    learn: Learn = None,
    loss: Loss = "softmax_cross_entropy",
    learning_rate: Annotated[
        float, typer.Option(help="Where the learning rate starts; it can be set at run time.")
    ] = 0.01,
    batch: Batch = 1,
    momentum: Momentum = 0.0,
    weight_decay: WeightDecay = 0.0,
    schedule: Annotated[
        str | None,
        typer.Option(
            help="layers: layer by layer; stream: by rows wherever that saves memory; auto: the fastest that fits. "
            "Default: layers, with --ram auto."
        ),
    ] = None,
    ram: Annotated[
        int | None,
        typer.Option(
            metavar="BYTES", min=1, help="The RAM that arena and state may take; the fastest schedule that fits."
        ),
    ] = None,
    flash: Annotated[
        int | None,
        typer.Option(
            metavar="BYTES",
            min=1,
            help="The flash that the whole image may take; the fastest kernels that fit, layer by layer.",
        ),
    ] = None,
    weights: Weights = "plain",
    input_rows: InputRows = False,
    rows_again: RowsAgain = False,
    json: Json = False,
) -> None:
    """Compile a model to C for a board. Exit code 1, and nothing written, if it does not fit."""
    from lichen.compiler import compile_model
    from lichen.learning.learner import Learning
    from lichen.reading import load

    module = load(model)
    learning = Learning(learn, loss, learning_rate, batch, momentum, weight_decay) if learn is not None else None
    try:
        with messages.status("reading, planning, linking and measuring"):
            done = compile_model(
                module, board, out, optimize, schedule, ram, input_rows, learning, rows_again, flash, weights
            )
    except DoesNotFitError as error:
        if json and error.compilation is not None:
            print_json(_answer(error.compilation, weights))
        raise
    for note in done.notes:
        messages.print(f"not measured: {note}")
    answer = _answer(done, weights)
    if json:
        print_json(answer)
        return
    print_table(
        f"{done.name} on {done.board.title}, {done.macs:,} MACs (as linked, stack measured on the emulator)",
        ["memory", *map(_heading, answer["ram"]), "of"],
        [["RAM", *answer["ram"].values(), done.board.ram]],
    )
    print_table(
        "",
        ["memory", *map(_heading, answer["flash"]), "of"],
        [["flash", *answer["flash"].values(), done.board.flash]],
    )
    print_coded(done.coded)
    print_costs(done.functions)
    print(f"written to {out}")


def _answer(done: Compilation, weights: str) -> dict[str, Any]:
    """What `--json` prints: of coded weights also the RAM of those that are decoded once, what plain ones would take, and each layer."""
    is_coded = weights == "coded"
    return {
        "name": done.name,
        "board": done.board.name,
        "macs": done.macs,
        "ram": {
            "arena": done.arena,
            "state": done.state,
            **({"decoded": done.decoded} if is_coded else {}),
            "stack": done.stack,
            "total": done.ram,
        },
        "flash": {
            **({"plain_weights": done.plain_weights} if is_coded else {}),
            "weights": done.weights,
            "code": done.code,
            "total": done.flash,
        },
        "fits": done.fits,
        "functions": costs_json(done.functions),
        "input_rows": done.input_rows,
        **({"coded": coded_json(done.coded)} if is_coded else {}),
    }


def _heading(key: str) -> str:
    return key.replace("_", " ")
