"""`lichen learn`: a compiled model goes on learning, wherever it runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lichen.cli.options import Folder, Json, On
from lichen.cli.output import print_json, print_table, progress_bar
from lichen.errors import InputError

if TYPE_CHECKING:
    from lichen.learning.metrics import Metrics


def register(app: typer.Typer) -> None:
    app.command("learn", epilog="Example: lichen learn build/model --on qemu --data X.npy --labels Y.npy")(learn)


def learn(
    model: Folder,
    on: On,
    data: Annotated[Path, typer.Option(metavar="X.npy", help="Samples (n, *input shape).")],
    labels: Annotated[
        Path, typer.Option(metavar="Y.npy", help="Labels (n,), or targets (n, *output shape); below 0 is no label.")
    ],
    rate: Annotated[float, typer.Option(help="Learning rate.")] = 0.01,
    epochs: Annotated[int, typer.Option(min=1, help="How often to go through the samples, in their order.")] = 1,
    begin: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="The state to begin with, that --state has written.")
    ] = None,
    state: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to write what was learned, as a blob of state.")
    ] = None,
    save: Annotated[bool, typer.Option("--save", help="Save what was learned where it survives a reset.")] = False,
    json: Json = False,
) -> None:
    """Let a model that was compiled with --learn go on learning from samples, one after the other."""
    from lichen.learning.lessons import load_lessons
    from lichen.running import Device
    from lichen.targets.folder import open_folder

    folder = open_folder(model)
    *x, targets = load_lessons(folder, data, labels)
    samples = x[0] if len(x) == 1 else x
    losses = []
    with progress_bar(f"learning on {on}", epochs * len(targets)) as progress, Device(folder, on) as device:
        if begin is not None:
            device.write_state(_read(begin))
        for _ in range(epochs):
            device.begin_learning(rate)
            losses.append(device.learn(samples, targets, progress).mean_loss)
        if save:
            device.save()
        if state is not None:
            _write(state, device.read_state())
        metrics = device.metrics() if device.keeps_metrics else None
    if json:
        answer: dict[str, Any] = {"on": on, "samples": len(targets), "epochs": epochs, "loss": losses}
        print_json(answer | {"metrics": None if metrics is None else _as_json(metrics)})
        return
    for epoch, loss in enumerate(losses, 1):
        print(f"epoch {epoch}: mean loss {loss:.6g}")
    if metrics is not None:
        _show(metrics)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error


def _write(path: Path, blob: bytes) -> None:
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(blob)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise InputError(f"cannot write {path}: {error.strerror}") from error


def _as_json(metrics: Metrics) -> dict[str, Any]:
    errors = metrics.errors
    return {
        "accuracy": metrics.accuracy,
        "macro_f1": metrics.macro_f1,
        "labels": None if metrics.labels is None else list(metrics.labels),
        "confusion": None if metrics.confusion is None else metrics.confusion.tolist(),
        "mse": None if errors is None else errors.mse,
        "mae": None if errors is None else errors.mae,
        "awake": metrics.awake,
    }


def _show(metrics: Metrics) -> None:
    print(f"before each lesson, {'still learning' if metrics.awake else 'asleep: good enough'}:")
    if metrics.errors is not None:
        print(f"root mean squared error {metrics.errors.rmse:.6g}, mean absolute error {metrics.errors.mae:.6g}")
    if metrics.confusion is not None and metrics.labels is not None:
        print(f"accuracy {metrics.accuracy:.3f}, macro F1 {metrics.macro_f1:.3f}")
        rows = [[label, *map(int, row)] for label, row in zip(metrics.labels, metrics.confusion, strict=True)]
        print_table("", ["class, predicted as", *map(str, metrics.labels)], rows)
