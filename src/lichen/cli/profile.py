"""`lichen profile`: where the time goes, operator by operator, and what changed between two builds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lichen.cli.options import Folder, Json
from lichen.cli.output import messages, print_json, print_table

if TYPE_CHECKING:
    from lichen.targets.folder import ModelFolder
    from lichen.targets.profile_pairs import OpPair
    from lichen.targets.profiler import OpProfile, Profile

_FIGURES = ("macs", "instructions", "cycles")


def register(app: typer.Typer) -> None:
    app.command(
        "profile", epilog="Example: lichen profile build/model --on qemu --against build/before --picture profile.png"
    )(profile)


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
    against: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Another model folder, profiled likewise, and the difference to it."),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw bars of instructions and cycles for each operator, as .png or .svg."),
    ] = None,
    json: Json = False,
) -> None:
    """Count instructions and cycles of each operator in one inference, or one lesson, on an emulated chip.

    With --against, operators of the same name and kind are put beside each other: the difference is this build less the other, the
    ratio this divided by the other.
    """
    from lichen.device.count import profile as run
    from lichen.device.validate import load_graph
    from lichen.ir.samples import load_samples
    from lichen.targets.folder import open_folder

    if picture is not None:
        from lichen.report.picture import require_format

        require_format(picture)

    def measure(folder: ModelFolder) -> Profile:
        inputs = None
        if samples is not None:
            inputs = [x[:1] for x in load_samples(samples, load_graph(folder).functions[function].inputs)[0]]
        with messages.status(f"profiling {folder.path} on {on}"):
            return run(folder, on, inputs, function)

    folders = [open_folder(path) for path in (model, against) if path is not None]
    for folder in folders:
        folder.function(function)
    this, *others = [measure(folder) for folder in folders]
    other = others[0] if others else None
    if picture is not None:
        from lichen.report.profile import draw_profile

        names = [f"{folder.name}, {folder.board}" for folder in folders]
        if against is not None:
            names = [str(model), str(against)]
        title = f"{folders[0].name} on {on}, {function}"
        draw_profile(picture, title, dict(zip(names, (this, *others), strict=True)))
    if json:
        answer = _json(this) | {"picture": str(picture) if picture is not None else None}
        if other is not None:
            from lichen.targets.profile_pairs import pair, total

            answer["against"] = {"dir": str(against), **_json(other)}
            answer["difference"] = {
                "ops": [
                    {"name": both.op.name, "kind": both.op.kind, "only_in": _only_in(both), **_difference(both)}
                    for both in pair(this, other)
                ],
                "total": _difference(total(this, other)),
            }
        print_json(answer)
        return
    if other is None:
        _print(f"{folders[0].name} on {on}, {function}", this)
    else:
        _print_difference(f"{model} against {against} on {on}, {function}", this, other)
    if picture is not None:
        print(f"the picture is {picture}")


def _json(result: Profile) -> dict[str, Any]:
    ops = [
        {key: getattr(op, key) for key in ("name", "kind", *_FIGURES)} | {"share": result.share(op)}
        for op in result.ops
    ]
    figures = {key: getattr(result.total, key) for key in _FIGURES}
    return {"ops": ops, "total": figures, "cycles_are": result.cycles_are}


def _only_in(both: OpPair) -> str | None:
    return "this" if both.against is None else "against" if both.this is None else None


def _difference(both: OpPair) -> dict[str, Any]:
    keys = ("instructions", "cycles", "instructions_ratio", "cycles_ratio")
    return {key: getattr(both, key) for key in keys}


def _print(title: str, result: Profile) -> None:
    def cells(op: OpProfile) -> list[object]:
        per_mac = op.instructions / op.macs if op.macs else None
        return [op.name, op.kind, op.macs, op.instructions, op.cycles, per_mac, f"{result.share(op):.1%}"]

    print_table(
        f"{title}: instructions emulated, cycles {result.cycle_words}",
        ["operator", "kind", "MACs", "instructions", "cycles", "instructions per MAC", "share"],
        [*map(cells, result.ops), [*cells(result.total)[:5], None, ""]],
    )


def _cycle_words(*profiles: Profile) -> str:
    return " against ".join(dict.fromkeys(profile.cycle_words for profile in profiles))


def _print_difference(title: str, this: Profile, other: Profile) -> None:
    from lichen.targets.profile_pairs import pair, total

    def cells(both: OpPair) -> list[object]:
        found: list[object] = [both.op.name, both.op.kind]
        for figure in ("instructions", "cycles"):
            found += [getattr(side, figure, None) for side in (both.this, both.against)]
            found += [getattr(both, figure), getattr(both, f"{figure}_ratio")]
        return found

    print_table(
        f"{title}: instructions emulated, cycles {_cycle_words(this, other)}",
        [
            "operator",
            "kind",
            *("instructions", "against", "difference", "ratio"),
            *("cycles", "against", "difference", "ratio"),
        ],
        [cells(both) for both in (*pair(this, other), total(this, other))],
    )
