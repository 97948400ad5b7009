"""`lichen learn`: a compiled model goes on learning, wherever it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lichen.cli.options import Folder, Json, On
from lichen.cli.output import print_json, progress_bar


def register(app: typer.Typer) -> None:
    app.command("learn", epilog="Example: lichen learn build/model --on qemu --data X.npy --labels Y.npy")(learn)


def learn(
    model: Folder,
    on: On,
    data: Annotated[Path, typer.Option(metavar="X.npy", help="Samples (n, *input shape).")],
    labels: Annotated[Path, typer.Option(metavar="Y.npy", help="Labels (n,), or targets (n, *output shape).")],
    rate: Annotated[float, typer.Option(help="Learning rate.")] = 0.01,
    epochs: Annotated[int, typer.Option(min=1, help="How often to go through the samples, in their order.")] = 1,
    state: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to write what was learned, as a blob of state.")
    ] = None,
    json: Json = False,
) -> None:
    """Let a model that was compiled with --learn go on learning from samples."""
    from lichen.device.executor import open_executor
    from lichen.learning.lessons import load_lessons
    from lichen.targets.folder import open_folder

    folder = open_folder(model)
    inputs = load_lessons(folder, data, labels)
    losses = []
    with progress_bar(f"learning on {on}", epochs * len(inputs[0])) as progress, open_executor(folder, on) as executor:
        for _ in range(epochs):
            executor.begin_learning(rate)
            executor.learn(inputs, progress)
            losses.append(executor.lessons().mean_loss)
        if state is not None:
            state.write_bytes(executor.read_state())
    if json:
        print_json({"on": on, "samples": len(inputs[0]), "epochs": epochs, "loss": losses})
        return
    for epoch, loss in enumerate(losses, 1):
        print(f"epoch {epoch}: mean loss {loss:.6g}")
