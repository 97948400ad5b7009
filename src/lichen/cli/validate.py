"""`lichen validate`: does the compiled model compute what the graph means?"""

from __future__ import annotations

import typer

from lichen.cli.options import Folder, Input, Json, On
from lichen.cli.output import print_json, progress_bar


def register(app: typer.Typer) -> None:
    app.command("validate", epilog="Example: lichen validate build/model --on qemu --input X.npy")(validate)


def validate(model: Folder, on: On, samples: Input, json: Json = False) -> None:
    """Compare every output with the Python interpreter, byte by byte. Exit code 1 if they differ, with the operator to blame."""
    from lichen.device.validate import load_graph
    from lichen.device.validate import validate as run
    from lichen.ir.samples import load_samples
    from lichen.targets.folder import open_folder

    folder = open_folder(model)
    inputs, _ = load_samples(samples, load_graph(folder).infer.inputs)
    with progress_bar(f"validating on {on}", len(inputs[0])) as progress:
        difference = run(folder, on, inputs, progress)
    if json:
        first = difference and {
            "op": difference.op,
            "index": difference.index,
            "expected": difference.expected,
            "got": difference.got,
        }
        print_json({"identical": difference is None, "first_difference": first})
    elif difference is None:
        print(f"identical: {len(inputs[0]):,} samples on {on}")
    else:
        print(
            f"different: sample {difference.sample}, operator {difference.op}, element {difference.index}: "
            f"expected {difference.expected}, got {difference.got}"
        )
    if difference is not None:
        raise typer.Exit(1)
