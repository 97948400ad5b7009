"""From a recipe to a trained or a compressed network, with table, picture and logs of what came of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from lichen.errors import MissingToolError

if TYPE_CHECKING:
    from lichen.compression.chain import Compressed, Figures, Step

RESULT, PICTURE = "result.json", "compression.png"


def train(
    recipe: str | Path, out: str | Path, seed: int | None = None, watch: Callable[[Step], None] | None = None
) -> Figures:
    """Trains the network of the TOML file `recipe` and writes it to `out`, a `.pt2` file; its accuracy on the test part, MACs, and 4 bytes for each parameter.

    `seed` takes the place of the recipe's. `watch` is called after each epoch. Raises `InputError` for what is wrong with recipe, data or network, with the line and what to do.
    """
    _require_torch()
    from lichen.compression.chain import train_recipe
    from lichen.compression.recipe_file import read_recipe

    return train_recipe(read_recipe(Path(recipe), seed), Path(out), watch or (lambda step: None))


def compress(
    recipe: str | Path,
    out: str | Path,
    seed: int | None = None,
    watch: Callable[[Step], None] | None = None,
    done: Callable[[Figures, bool], None] | None = None,
    logs: str | Path | None = None,
    draw: bool = True,
) -> Compressed:
    """Runs the stages of the TOML file `recipe` into the folder `out`, with `result.json` and, with `draw`, the picture `compression.png`.

    What an earlier call has completed there is kept, if nothing has changed that it depends on. `seed` takes the place of the recipe's. `watch` is called after each epoch or measurement, `done` after each stage,
    with whether it was there already. `logs` is a folder for TensorBoard. Raises `InputError` as `train` does.
    """
    _require_torch()
    from lichen.compression.chain import compress_recipe
    from lichen.compression.logs import Logs
    from lichen.compression.recipe_file import read_recipe
    from lichen.report.compression import StagePoint, draw_compression
    from lichen.report.picture import require_matplotlib

    if draw:
        require_matplotlib()
    recipe, out = Path(recipe), Path(out)
    read = read_recipe(recipe, seed)
    with ExitStack() as stack:
        kept = stack.enter_context(Logs(Path(logs))) if logs is not None else None

        def step(step: Step) -> None:
            if kept is not None:
                kept.step(step)
            if watch is not None:
                watch(step)

        def stage(figures: Figures, was_there: bool) -> None:
            if kept is not None:
                kept.stage(figures)
            if done is not None:
                done(figures, was_there)

        found = compress_recipe(read, out, step, stage)
    (out / RESULT).write_text(json.dumps(found.answer(), indent=1) + "\n", "utf-8")
    if draw:
        points = [StagePoint(s.name, s.accuracy, s.weights_bytes, s.flash_bytes) for s in found.stages]
        draw_compression(out / PICTURE, f"{recipe.stem}: accuracy against bytes, as compiled for {read.board}", points)
    return found


def _require_torch() -> None:
    """Raises `MissingToolError` where PyTorch is missing, with the line that installs it."""
    try:
        import lichen.nn.quantize  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingToolError(
            f"training needs the package {error.name}, which is not installed: pip install 'lichen[torch]'"
        ) from error
