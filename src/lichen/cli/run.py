"""`lichen run`: samples in, outputs out, wherever the model runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lichen.cli.options import Folder, Input, Json, On
from lichen.cli.output import messages, print_json, progress_bar, text


def register(app: typer.Typer) -> None:
    app.command("run", epilog="Example: lichen run build/model --on qemu --input X.npy --output Y.npy")(run)


def run(
    model: Folder,
    on: On,
    samples: Input,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="Y.npy", help="Where to write the outputs; .npz if there are several."),
    ] = None,
    json: Json = False,
) -> None:
    """Run a compiled model on samples. Outputs are in the model's type, or float32 if the samples were float32."""
    from lichen.device.count import count_first
    from lichen.device.executor import open_executor
    from lichen.device.validate import load_graph
    from lichen.ir.samples import load_samples, save_samples
    from lichen.targets.folder import open_folder

    folder = open_folder(model)
    function = load_graph(folder).infer
    inputs, form = load_samples(samples, function.inputs)
    with progress_bar(f"running on {on}", len(inputs[0])) as progress, open_executor(folder, on) as executor:
        outputs = executor.run(inputs, progress)
    if output is not None:
        save_samples(output, function.outputs, outputs, form)
    with messages.status("counting"):
        count = count_first(folder, on, [x[:1] for x in inputs])
    if json:
        print_json(
            {
                "on": on,
                "samples": len(inputs[0]),
                "instructions": count.instructions,
                "cycles": count.cycles,
                "cycles_are": count.cycles_are,
            }
        )
        return
    print(f"{len(inputs[0]):,} samples on {on}" + (f", outputs in {output}" if output is not None else ""))
    if count.instructions is not None:
        kind = f" ({count.cycles_are})" if count.cycles_are else ""
        print(f"one inference: {text(count.instructions)} instructions, {text(count.cycles)} cycles{kind}")
