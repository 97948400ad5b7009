"""`lichen demo`: a published result, rebuilt before your eyes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from lichen.cli.options import Json
from lichen.cli.output import messages, print_json, print_table, progress_bar, text, write_json
from lichen.errors import MissingToolError


def register(app: typer.Typer) -> None:
    demo = typer.Typer(help="Rebuild a published result on real data.", no_args_is_help=True)
    demo.command("digits", epilog="Example: lichen demo digits --out build/digits")(digits)
    demo.command("power-plant", epilog="Example: LICHEN_DATA=../data lichen demo power-plant --json")(power_plant)
    demo.command("vision", epilog="Example: lichen demo vision --out build/vision")(vision)
    demo.command("fan", epilog="Example: LICHEN_DATA=../data lichen demo fan --json")(fan)
    demo.command("compression", epilog="Example: lichen demo compression --seeds 1 --out build/compression")(
        compression
    )
    demo.command("bonsai", epilog="Example: lichen demo bonsai --out build/bonsai")(bonsai)
    app.add_typer(demo, name="demo")


def digits(
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Keep the compiled models in this folder.")] = None,
    json: Json = False,
) -> None:
    """Train two digit classifiers, quantise them, and run them on an emulated Cortex-M4 and an emulated Arduino Uno."""
    with _needing("torch,data"):
        from lichen.demos.digits import run

    stages = run(progress_bar, lambda remark: messages.print(remark), out)
    if json:
        print_json({"stages": [asdict(stage) for stage in stages]})
        return
    print_table(
        "Handwritten digits (accuracy on 1,000 unseen ones; cycles modelled on nano33ble, emulated on uno)",
        ["stage", "board", "accuracy", "RAM, bytes", "flash, bytes", "instructions", "cycles", "ms", "fits"],
        [list(asdict(stage).values()) for stage in stages],
    )
    if out is not None:
        print(f"the compiled models are in {out}")


def power_plant(
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Keeps the compiled model, result.json and the picture of the losses.")
    ] = Path("build", "demo-power-plant"),
    on: Annotated[str, typer.Option("--on", help="qemu or native.")] = "qemu",
    epochs: Annotated[int, typer.Option(min=1, help="How often to go through the training part.")] = 20,
    json: Json = False,
) -> None:
    """Train a whole network on an emulated Cortex-M4, over its serial line, and in PyTorch beside it."""
    with _needing("torch,report"):
        from lichen.demos.power_plant import draw, run
        from lichen.demos.published import TINY_TRAINING, TINYOL

    pictures = _can_draw()
    result = run(progress_bar, out, on, epochs)
    write_json(out / "result.json", asdict(result))
    if pictures:
        draw(result, out)
    messages.print(f"the compiled model, result.json and {'loss.png' if pictures else 'no picture'} are in {out}")
    if json:
        print_json(asdict(result))
        return
    print_table(
        f"Mean squared error of standardised power, {epochs} epochs of 5,740 samples",
        ["epoch", "on the chip", "PyTorch"],
        [
            [i, f"{a:.6f}", f"{b:.6f}"]
            for i, (a, b) in enumerate(zip(result.loss_chip, result.loss_torch, strict=True), 1)
        ],
    )
    print(f"largest relative difference {result.max_relative_difference:.1e}")
    print(f"error on the test part: {result.rmse_chip:.2f} MW on the chip, {result.rmse_torch:.2f} MW in PyTorch")
    print(
        f"RAM {result.ram:,} bytes (arena {result.arena:,}, state {result.state:,}), flash {result.flash or 0:,} bytes"
    )
    if result.instructions_per_sample and result.instructions_infer:
        print(
            f"instructions: {result.instructions_per_sample:,} to learn a sample, {result.instructions_infer:,} to infer"
        )
    print("published figures beside it:")
    for published in (TINYOL, TINY_TRAINING):
        print(f"  {published}")


@contextmanager
def _needing(extras: str) -> Iterator[None]:
    """What is imported in the block comes with these extras. Raises `MissingToolError` with the line that installs them."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingToolError(
            f"the demo needs the package {error.name}, which is not installed: pip install 'lichen[{extras}]'"
        ) from error


def _can_draw() -> bool:
    """Whether pictures can be drawn; said before the long work begins, not after it."""
    from lichen.report.picture import require_matplotlib

    try:
        require_matplotlib()
    except MissingToolError as error:
        messages.print(f"going on without pictures: {error}")
        return False
    return True


def vision(
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Keeps the compiled models, result.json and the picture of the arena.")
    ] = Path("build", "demo-vision"),
    epochs: Annotated[int, typer.Option(min=1, help="How often to go through the 10,000 training images.")] = 30,
    images: Annotated[int, typer.Option(min=1, max=2008, help="How many images the emulated chip classifies.")] = 32,
    json: Json = False,
) -> None:
    """Train a small MobileNetV2 on CIFAR-10 and run it on an emulated Cortex-M4 with less memory than its largest layer."""
    with _needing("torch,report"):
        from lichen.demos.vision import run

    pictures = _can_draw()
    result = run(progress_bar, lambda remark: messages.print(remark), out, epochs, images, pictures)
    write_json(out / "result.json", asdict(result))
    messages.print(f"the compiled models, result.json and {'arena.png' if pictures else 'no picture'} are in {out}")
    if json:
        print_json(asdict(result))
        return
    print(result.notation)
    print(f"accuracy on 2,008 test images: float {result.accuracy_float:.3f}, int8 {result.accuracy_int8:.3f}")
    print_table(
        f"Every schedule gives the same bytes (RAM and flash as linked for {result.board}, cycles modelled)",
        [
            "schedule",
            "arena, bytes",
            "RAM, bytes",
            "flash, bytes",
            "MACs",
            "instructions",
            "ms",
            "same, host",
            "same, chip",
        ],
        [list(asdict(row).values()) for row in result.schedules],
    )


def fan(
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIR", help="Keeps the compiled models, result.json and the pictures errors.png and f1.png."
        ),
    ] = Path("build", "demo-fan"),
    on: Annotated[str, typer.Option("--on", help="qemu or native.")] = "qemu",
    seed: Annotated[int, typer.Option(min=0, help="Where the autoencoder's initial weights come from.")] = 0,
    json: Json = False,
) -> None:
    """Fine-tune an autoencoder on an emulated Cortex-M4 until it knows what is normal in the field, and teach it kinds of anomaly there."""
    with _needing("torch,demos,report"):
        from lichen.demos.fan import draw, run
        from lichen.demos.published import TINY_TRAINING, TINYOL

    pictures = _can_draw()
    result = run(progress_bar, out, on, seed)
    answer = result.answer()
    write_json(out / "result.json", answer)
    if pictures:
        draw(result, out)
    kept = "errors.png and f1.png" if pictures else "no pictures"
    messages.print(f"the compiled models, result.json and {kept} are in {out}")
    if json:
        print_json(answer)
        return
    tuning = result.tuning
    print_table(
        f"An autoencoder of low speed, at medium speed; threshold {tuning.threshold:.2f}, the largest error of the host's validation part",
        ["last layer", "AUC of weighted against normal", "false alarms", "weighted windows found"],
        [
            [when, errors.auc, f"{errors.false_alarms:.1%}", f"{errors.detected:.1%}"]
            for when, errors in (("as deployed", tuning.before), ("after 2,000 updates on the device", tuning.after))
        ],
    )
    print_table(
        "Four kinds of window, one neuron more for each new one: macro F1 on the test parts",
        ["taught", "online, on the device", "online, river", "offline, 50 epochs"],
        [
            [way, curve[-1][1], result.classes.river[way][-1][1], result.f1_offline]
            for way, curve in result.classes.online.items()
        ],
    )
    rows = {"autoencoder, last layer learns": answer, "classifier on embedding and error": answer["classifier"]}
    print_table(
        "What a window costs on a Cortex-M4 of 64 MHz (ours modelled, TinyOL's measured)",
        ["", "inference, µs", "and learning, µs", "learning adds", "RAM, bytes", "flash, bytes"],
        [
            *(
                [
                    name,
                    *map(_rounded, cost["microseconds"].values()),
                    _percent(cost["overhead"]),
                    cost["ram"],
                    cost["flash"],
                ]
                for name, cost in rows.items()
            ),
            [
                f"TinyOL ({TINYOL.source})",
                _rounded(TINYOL.infer),
                _rounded(TINYOL.learn),
                _percent(TINYOL.more),
                None,
                None,
            ],
        ],
    )
    print(f"published beside it: {TINY_TRAINING}")


def compression(
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIR", help="Keeps weights, compiled models, result.json and the picture compression.png."
        ),
    ] = Path("build", "demo-compression"),
    seeds: Annotated[int, typer.Option(min=1, help="How many networks of each kind, with other initial weights.")] = 5,
    quick: Annotated[
        bool, typer.Option("--quick", help="A fifth of the epochs: to see it work, not to reach its figures.")
    ] = False,
    json: Json = False,
) -> None:
    """Prune two LeNets, share their weights, code them, and run what is left on an emulated Arduino Uno and an emulated Cortex-M4."""
    with _needing("torch,data,report"):
        from lichen.demos.compression import draw, run
        from lichen.demos.deep_compression import CHAINS

    pictures = _can_draw()
    result = run(progress_bar, lambda remark: messages.print(remark), out, seeds, quick)
    answer = result.answer()
    write_json(out / "result.json", answer)
    if pictures:
        draw(result, out)
    kept = "compression.png" if pictures else "no picture"
    messages.print(f"weights, compiled models, result.json and {kept} are in {out}")
    if json:
        print_json(answer)
        return
    columns = [
        "seed",
        *(f"accuracy {when}" for when in ("float32", "pruned", "shared", "on the chip")),
        "weights, bytes",
    ]
    columns += ["float32 / it", "int8 / it", "RAM, bytes", "flash, bytes", "ms", "same bytes"]
    for chain in CHAINS:
        print_table(
            f"{chain.title} on {chain.board} (1,000 unseen digits; RAM and flash as linked, time {'emulated' if chain.board == 'uno' else 'modelled'})",
            columns,
            [
                [
                    trial.seed,
                    *(stage.accuracy for stage in (*trial.stages[:3], trial.stages[-1])),
                    trial.stages[-1].bytes,
                    *(f"{ratio:.1f}" for ratio in (trial.ratio_vs_float32, trial.ratio_vs_int8)),
                    *(trial.ram, trial.flash, trial.milliseconds, trial.identical),
                ]
                for trial in result.trials[chain.name]
            ],
        )


def bonsai(
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Keeps the compiled models and result.json in this folder.")
    ] = Path("build", "demo-bonsai"),
    seeds: Annotated[int, typer.Option(min=1, help="How many models of each kind, with other initial weights.")] = 3,
    quick: Annotated[
        bool, typer.Option("--quick", help="Few epochs: to see it work, not to reach its figures.")
    ] = False,
    json: Json = False,
) -> None:
    """Train Bonsai, a sparse tree of two kilobytes, and run it on an emulated Arduino Uno beside dense networks and nearest neighbours."""
    with _needing("torch,data,demos"):
        from lichen.demos.bonsai import TASKS, run

    result = run(progress_bar, lambda remark: messages.print(remark), out, seeds, quick)
    answer = result.answer()
    write_json(out / "result.json", answer)
    messages.print(f"the compiled models and result.json are in {out}")
    if json:
        print_json(answer)
        return
    for task in TASKS:
        print_table(
            f"{task.title}, even against odd digits of {task.side}x{task.side} pixels (1,000 unseen ones; RAM and flash as linked for uno, time emulated)",
            [
                "method",
                "accuracy",
                "least",
                "most",
                "in float32",
                "model, bytes",
                "RAM, bytes",
                "flash, bytes",
                "ms",
                "same bytes",
            ],
            [
                [
                    name,
                    *(figures.mean, min(figures.accuracy), max(figures.accuracy)),
                    None
                    if figures.accuracy_float is None
                    else sum(figures.accuracy_float) / len(figures.accuracy_float),
                    *(figures.model_bytes, figures.ram, figures.flash, figures.milliseconds, figures.identical),
                ]
                for name, figures in result.tasks[task.name].items()
            ],
        )


def _rounded(number: float | None) -> int | None:
    return None if number is None else round(number)


def _percent(share: float | None) -> str:
    return text(None) if share is None else f"{share:+.1%}"
