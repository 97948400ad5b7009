"""What a recipe's keys say together: tables that contradict themselves, and stages that cannot follow each other, are refused."""

from __future__ import annotations

from lichen.compression import toml_lines
from lichen.compression.recipe import (
    INT8_PLACE,
    TARGETS,
    CodeStage,
    DistilStage,
    PruneStage,
    QuantiseAwareStage,
    QuantiseStage,
    Recipe,
    ShareStage,
    SparsifyStage,
    Stage,
)
from lichen.data.labelled import KNOWN
from lichen.errors import InputError
from lichen.kernels import OPTIMIZE
from lichen.targets.board import load_board


def check_recipe(recipe: Recipe) -> None:
    """Raises `InputError`, with the line and what to do instead, for keys that do not go together, and names of what there is not."""
    try:
        load_board(recipe.board)
    except InputError as error:
        raise recipe.error(("board",), error) from error
    if recipe.optimize not in OPTIMIZE:
        raise recipe.error(
            ("optimize",), f"'optimize' is '{recipe.optimize}' where one of {', '.join(OPTIMIZE)} is expected"
        )
    if (recipe.data.name is None) == (recipe.data.file is None):
        raise recipe.error(("data",), "[data] needs either a name or a file")
    if recipe.data.name is not None and recipe.data.name not in KNOWN:
        raise recipe.error(("data", "name"), f"there is no data set '{recipe.data.name}'; there are {', '.join(KNOWN)}")
    teacher = recipe.teacher
    if teacher is not None and (teacher.weights is None) == (teacher.training is None):
        raise recipe.error(("teacher",), "[teacher] needs either weights or a [teacher.training]")
    if teacher is not None and teacher.soft + teacher.hard <= 0:
        raise recipe.error(("teacher",), "one of 'soft' and 'hard' of [teacher] must be above 0, or nothing is taught")
    _check_stages(recipe)


def _check_stages(recipe: Recipe) -> None:
    before = Stage(kind="")
    names = {"float32", "int8"}
    for place, stage in enumerate(recipe.stage):
        path: toml_lines.Path = ("stage", place)
        if stage.name in names or not stage.name.replace("-", "_").isidentifier():
            raise recipe.error(
                (*path, "name"),
                f"a stage cannot be called '{stage.name}'; give it a name of its own, of letters, digits and _",
            )
        names.add(stage.name)
        if stage.place < before.place or stage.place == before.place >= INT8_PLACE:
            raise recipe.error(
                path, f"stage '{stage.name}' would undo what '{before.name}' has done; move it in front or leave it out"
            )
        if isinstance(stage, CodeStage) and before.place < INT8_PLACE:
            raise recipe.error(path, f"stage '{stage.name}' codes int8 weights; put a stage that quantises in front")
        if isinstance(stage, QuantiseAwareStage) and isinstance(before, ShareStage):
            raise recipe.error(
                path,
                f"stage '{stage.name}' would train shared weights apart; take kind 'quantise' behind '{before.name}'",
            )
        if isinstance(stage, QuantiseStage) and isinstance(before, ShareStage) and stage.weight_scale != "tensor":
            raise recipe.error(
                path, f"stage '{stage.name}' would give shared weights a scale a channel; add weight_scale = \"tensor\""
            )
        if isinstance(stage, SparsifyStage) and stage.begin >= stage.end:
            raise recipe.error((*path, "begin"), f"'begin' is {stage.begin:g} and must be below 'end', {stage.end:g}")
        if (isinstance(stage, DistilStage) or getattr(stage, "teacher", False)) and recipe.teacher is None:
            raise recipe.error(path, f"stage '{stage.name}' follows a teacher; add a table [teacher]")
        if isinstance(stage, PruneStage) and all(getattr(stage, key) is None for key in TARGETS):
            raise recipe.error(path, f"stage '{stage.name}' has no target; give macs, ram or flash")
        before = stage
