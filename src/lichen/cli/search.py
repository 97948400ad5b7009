"""`lichen search`: architectures that need less memory."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from lichen.cli.options import Json
from lichen.cli.output import print_json, print_table, progress_bar
from lichen.errors import MissingToolError


def register(app: typer.Typer) -> None:
    search = typer.Typer(help="Look for networks that need less memory.", no_args_is_help=True)
    search.command(
        "redistribute",
        epilog='Example: lichen search redistribute "k3s2c16 16k3c8 48k7s2c16 48k5c16r 96k3s2c24 144k3c24r" --resolution 64',
    )(redistribute)
    app.add_typer(search, name="search")


def redistribute(
    notation: Annotated[
        str,
        typer.Argument(
            help="Inverted residuals: expanded channels, kernel, stride, channels, residual, as in 48k3s2c16 48k3c16r; "
            "without the first number an ordinary convolution."
        ),
    ],
    resolution: Annotated[int, typer.Option(min=1, help="Height and width of the images, which have three channels.")],
    classes: Annotated[int, typer.Option(min=1, help="Outputs of the dense layer at the end.")] = 10,
    strips: Annotated[int, typer.Option(min=1, help="In how many strips the first stage is computed.")] = 4,
    early: Annotated[
        int | None,
        typer.Option(metavar="ITEMS", help="Items of the first stage; else those up to images of 16 positions a side."),
    ] = None,
    json: Json = False,
) -> None:
    """Smaller kernels and fewer blocks early, more later, at equal MACs: what memory and recomputation that saves.

    Nothing is trained: which of the proposals is accurate enough is for training to say.
    """
    from lichen.ir.kernel import PLAIN
    from lichen.nn.notation import parse
    from lichen.search.redistribute import redistribute as propose

    try:
        from lichen.search.candidate import candidate
    except ModuleNotFoundError as error:
        raise MissingToolError(
            f"planning a network needs the package {error.name}, which is not installed: pip install 'lichen[torch]'"
        ) from error
    from lichen.search.stage import stage_cost

    proposals = propose(parse(notation), resolution, classes, early)
    found: list[dict[str, Any]] = []
    with progress_bar("planning", len(proposals)) as progress:
        for proposal in proposals:
            module = candidate(proposal.architecture, resolution, classes)
            cost = stage_cost(proposal, module, strips, PLAIN)
            found.append(
                {
                    "notation": str(proposal.architecture),
                    "early": proposal.early,
                    "early_field": proposal.early_field,
                    "field": proposal.field,
                    "macs": proposal.macs,
                    "arena": {"layers": cost.layers, "streamed": cost.streamed, "strips": cost.strips},
                    "strips_macs": cost.strips_macs,
                }
            )
            progress(1)
    if json:
        print_json({"resolution": resolution, "classes": classes, "strips": strips, "proposals": found})
        return
    print_table(
        f"Arena in bytes, planned: layer by layer, streamed (nothing is computed twice), first stage in {strips} strips",
        ["", "sees early, pixels", "sees, pixels", "MACs", "layers", "streamed", "strips", "computed twice"],
        [
            [
                index or "given",
                p["early_field"],
                p["field"],
                p["macs"],
                *p["arena"].values(),
                f"{p['strips_macs'] / p['macs'] - 1:.1%}",
            ]
            for index, p in enumerate(found)
        ],
    )
    for index, p in enumerate(found):
        print(f"{index or 'given'}: {p['notation']}")
