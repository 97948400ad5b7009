"""Recipes: TOML files that say what is trained on what, and by which stages it becomes small.

Everything that can be known to be wrong without training is an `InputError` with the file, the line and what to do instead.

How this works inside: the dataclasses below are the format. A table of the file becomes an instance of its class: names and types of the keys are those of the
fields, the ranges of numbers stand in one place, and a key that is no field is refused with the nearest one that is.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import tomllib
import types
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Literal, Union, get_args, get_origin, get_type_hints

from lichen.compression import toml_lines
from lichen.data.labelled import KNOWN
from lichen.errors import InputError
from lichen.kernels import OPTIMIZE
from lichen.nn.train import Recipe as Training
from lichen.targets.board import load_board

Amount = int | float
"""A whole number above 1 is meant as it stands, in MACs or bytes; a number up to 1 as a share of what there is."""


@dataclass(frozen=True)
class DataTable:
    """`[data]`: a known data set, `name`, or an `.npz` `file` with arrays x and y; every value times `scale` plus `offset`.

    `test` is the share set aside where the file has no test_x and test_y, `samples` how many of the training part are used, `shrink` the side of the
    squares of pixels whose mean makes one.
    """

    name: str | None = None
    file: Path | None = None
    test: float = 0.2
    samples: int | None = None
    scale: float = 1.0
    offset: float = 0.0
    shrink: int = 1


@dataclass(frozen=True)
class ModelTable:
    """`[model]`: a network of the zoo or `package.module:function`, called with `arguments`; `weights` is a `.pt2` file of it to begin with."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)
    weights: Path | None = None


@dataclass(frozen=True)
class TeacherTable(ModelTable):
    """`[teacher]`: whom students follow. Trained by its own `[teacher.training]`, unless `weights` holds it trained already."""

    training: Training | None = None
    temperature: float = 4.0
    soft: float = 0.9
    hard: float = 0.1
    hints: tuple[tuple[str, str], ...] = ()
    hint: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One `[[stage]]`. Stages come in the order of their `place`, or what one has done another undoes; those from `INT8_PLACE` on leave a quantised program."""

    place: ClassVar[int] = 0

    kind: str
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class DistilStage(Stage):
    """Trains the network anew on what the teacher thinks."""

    training: Training = field(default_factory=Training)


@dataclass(frozen=True, kw_only=True)
class PruneStage(Stage):
    """Takes channels away until the network is within `macs`, `ram` and `flash`, in `steps` equal steps, and trains after each.

    With `teacher` training follows the teacher. What is left of a layer is a multiple of `multiple`.
    """

    macs: Amount | None = None
    ram: Amount | None = None
    flash: Amount | None = None
    steps: int = 1
    multiple: int = 1
    teacher: bool = False
    training: Training = field(default_factory=Training)


@dataclass(frozen=True, kw_only=True)
class SparsifyStage(Stage):
    """Makes weights zero, those nearest to it first, until a share of `density` is left, as `MagnitudePruner` does; for the coded form.

    They go from `begin` to `end`, shares of the training, some more every `every` steps. With `teacher` training follows the teacher.
    """

    place: ClassVar[int] = 1

    density: float
    scope: Literal["layer", "global"] = "layer"
    begin: float = 0.0
    end: float = 0.6
    every: int = 10
    teacher: bool = False
    training: Training = field(default_factory=Training)


@dataclass(frozen=True, kw_only=True)
class ShareStage(Stage):
    """Gives the weights of each layer at most `clusters` values beside zero, and trains these. Quantise with one scale a layer behind it.

    Batch normalisations are folded into weights and biases before.
    """

    place: ClassVar[int] = 2

    clusters: int
    teacher: bool = False
    training: Training = field(default_factory=Training)


@dataclass(frozen=True, kw_only=True)
class QuantiseStage(Stage):
    """Post-training quantisation, calibrated on `calibration` training samples.

    Layers in `keep_float` stay in floating point, and so do those that lose more than `sensitive` accuracy when they alone are quantised; `sensitivity`
    writes the report on all layers, judged on as many training samples.
    """

    place: ClassVar[int] = 3

    observer: Literal["histogram", "minmax"] = "histogram"
    weight_scale: Literal["channel", "tensor"] = "channel"
    calibration: int = 200
    keep_float: tuple[str, ...] = ()
    sensitivity: int = 0
    sensitive: float | None = None


@dataclass(frozen=True, kw_only=True)
class QuantiseAwareStage(Stage):
    """Quantisation-aware training, to weights of `weight_bits` bits; else as `QuantiseStage`."""

    place: ClassVar[int] = 3

    weight_bits: int = 8
    calibration: int = 256
    keep_float: tuple[str, ...] = ()
    sensitivity: int = 0
    sensitive: float | None = None
    teacher: bool = False
    training: Training = field(default_factory=Training)


@dataclass(frozen=True, kw_only=True)
class CodeStage(Stage):
    """Compiles the quantised network with its weights in Huffman codes; the same bytes come out of it."""

    place: ClassVar[int] = 4


INT8_PLACE = QuantiseStage.place

STAGES: Mapping[str, type[Stage]] = {
    "distil": DistilStage,
    "prune": PruneStage,
    "sparsify": SparsifyStage,
    "share": ShareStage,
    "quantise": QuantiseStage,
    "quantise_aware": QuantiseAwareStage,
    "code": CodeStage,
}


@dataclass(frozen=True)
class Recipe:
    """A whole file. `board` is what is compiled for, with `optimize`; `seed` is that of the network, of its training and of a test part that is drawn."""

    data: DataTable
    model: ModelTable
    training: Training = field(default_factory=Training)
    teacher: TeacherTable | None = None
    stage: tuple[Stage, ...] = ()
    board: str = "nano33ble"
    optimize: str = "speed"
    seed: int = 0
    source: Source | None = field(default=None, compare=False)

    def error(self, path: toml_lines.Path, sentence: object) -> InputError:
        """What is wrong with the key at `path`."""
        return self.source.error(path, sentence) if self.source else InputError(str(sentence))


@dataclass(frozen=True)
class Source:
    """Where a recipe stands."""

    file: Path
    lines: Mapping[toml_lines.Path, int]

    def error(self, path: toml_lines.Path, sentence: object) -> InputError:
        return InputError(f"{self.file}:{toml_lines.line_of(self.lines, path)}: {sentence}")


# Least and most of a number, by the key's name; None is no limit. Those in _ABOVE must be more than the least.
_RANGES: Mapping[str, tuple[float, float | None]] = {
    "epochs": (1, None),
    "batch_size": (1, None),
    "learning_rate": (0, None),
    "weight_decay": (0, None),
    "momentum": (0, 1),
    "label_smoothing": (0, 1),
    "shift": (0, None),
    "seed": (0, None),
    "test": (0, 1),
    "samples": (2, None),
    "shrink": (1, None),
    "temperature": (0, None),
    "soft": (0, None),
    "hard": (0, None),
    "hint": (0, None),
    "macs": (0, None),
    "ram": (0, None),
    "flash": (0, None),
    "steps": (1, None),
    "multiple": (1, None),
    "density": (0, 1),
    "begin": (0, 1),
    "end": (0, 1),
    "every": (1, None),
    "clusters": (1, 255),
    "calibration": (2, None),
    "weight_bits": (2, 8),
    "sensitivity": (0, None),
    "sensitive": (0, 1),
}
_ABOVE = {"learning_rate", "temperature", "macs", "ram", "flash", "test", "density", "end"}
_TRAINED_ALIKE = "seed"  # of training tables: the recipe's, unless they have their own


def read_recipe(path: Path, seed: int | None = None) -> Recipe:
    """The recipe in a TOML file, with another `seed` than its own if one is given. Raises `InputError` with file, line and remedy for whatever is wrong with it."""
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no text in UTF-8; a recipe is a TOML file") from error
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = str(error).rpartition("(at line ")[2].split(",")[0]
        line = place if place.isdigit() else str(len(text.splitlines()))
        raise InputError(f"{path}:{line}: {error}; see https://toml.io for how it is written") from error
    source = Source(path, toml_lines.key_lines(text))
    if seed is not None:
        table["seed"] = seed
    recipe: Recipe = _Reader(source, table.get("seed", 0)).table(Recipe, table, ())
    recipe = dataclasses.replace(recipe, source=source)
    _check(recipe)
    return recipe


class _Reader:
    """Makes dataclasses of tables."""

    def __init__(self, source: Source, seed: object) -> None:
        self.source, self.seed = source, seed

    def table(self, kind: type[Any], table: Any, path: toml_lines.Path) -> Any:
        """An instance of `kind`, whose fields are the keys of `table` at `path`."""
        where = f"[{'.'.join(str(key) for key in path if isinstance(key, str))}]" if path else "the recipe"
        if not isinstance(table, dict):
            raise self.source.error(path, f"{where} is {_described(table)} where a table of keys is expected")
        known = {f.name: f for f in fields(kind) if f.name != "source"}
        for key in table:
            if key not in known:
                near = difflib.get_close_matches(key, known, 1)
                advice = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(known)}"
                raise self.source.error((*path, key), f"{where} has no key '{key}'; {advice}")
        for name, one in known.items():
            if name not in table and one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING:
                raise self.source.error(path, f"{where} lacks the key '{name}'; add it")
        hints = get_type_hints(kind)
        given = {key: self.value(hints[key], value, (*path, key)) for key, value in table.items()}
        given |= {key: self.table(Training, {}, path) for key in known if hints[key] is Training and key not in given}
        if kind is Training and _TRAINED_ALIKE not in given and isinstance(self.seed, int):
            given[_TRAINED_ALIKE] = self.seed
        return kind(**given)

    def value(self, hint: Any, value: Any, path: toml_lines.Path) -> Any:
        """`value` as `hint` wants it."""
        key = next(part for part in reversed(path) if isinstance(part, str))
        if get_origin(hint) is Union or isinstance(hint, types.UnionType):
            options = [option for option in get_args(hint) if option is not type(None)]
            if set(options) == {int, float}:
                return self._number(value, key, path, isinstance(value, int))
            (hint,) = options
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            return self.stage(value, path) if issubclass(hint, Stage) else self.table(hint, value, path)
        if get_origin(hint) is Literal:
            if value not in get_args(hint):
                raise self.source.error(
                    path, f"'{key}' is {_described(value)} where one of {', '.join(get_args(hint))} is expected"
                )
            return value
        if get_origin(hint) is tuple:
            return self._items(get_args(hint), value, key, path)
        if hint is Path:
            return self.source.file.parent / self._of(str, "a file's name", value, key, path)
        if hint is float or (hint is int and not isinstance(value, bool)):
            return self._number(value, key, path, hint is int)
        if get_origin(hint) is dict:
            return self._of(dict, "a table", value, key, path)
        return self._of(hint, {str: "a text", bool: "true or false", int: "a whole number"}[hint], value, key, path)

    def stage(self, table: Any, path: toml_lines.Path) -> Stage:
        """The `[[stage]]` at `path`, of the class that its kind has."""
        kind = table.get("kind") if isinstance(table, dict) else None
        if not isinstance(kind, str) or kind not in STAGES:
            near = difflib.get_close_matches(str(kind), STAGES, 1)
            advice = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(STAGES)}"
            raise self.source.error((*path, "kind"), f"a stage needs a kind, and {_described(kind)} is none; {advice}")
        found: Stage = self.table(STAGES[kind], table, path)
        return found if found.name else dataclasses.replace(found, name=kind)

    def _items(self, wanted: tuple[Any, ...], value: Any, key: str, path: toml_lines.Path) -> tuple[Any, ...]:
        items = self._of(list, "a list", value, key, path)
        if len(wanted) == 2 and wanted[1] is Ellipsis:
            return tuple(self.value(wanted[0], item, (*path, place)) for place, item in enumerate(items))
        if len(items) != len(wanted):
            raise self.source.error(path, f"'{key}' has a list of {len(items)} where one of {len(wanted)} is expected")
        return tuple(self.value(one, item, path) for one, item in zip(wanted, items, strict=True))

    def _number(self, value: Any, key: str, path: toml_lines.Path, whole: bool) -> int | float:
        number = self._of(int if whole else (int, float), "a whole number" if whole else "a number", value, key, path)
        least, most = _RANGES.get(key, (-math.inf, None))
        too_small = number <= least if key in _ABOVE else number < least
        if not math.isfinite(number) or too_small or (most is not None and number > most):
            limits = f"{'above' if key in _ABOVE else 'from'} {least:g}" + (f" to {most:g}" if most is not None else "")
            raise self.source.error(path, f"'{key}' is {number} where a number {limits} is expected")
        return int(number) if whole else number if isinstance(number, int) and key in _LIMITS else float(number)

    def _of(self, kind: Any, called: str, value: Any, key: str, path: toml_lines.Path) -> Any:
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.source.error(path, f"'{key}' is {_described(value)} where {called} is expected")
        return value


_LIMITS = ("macs", "ram", "flash")


def _check(recipe: Recipe) -> None:
    """What keys say together. Raises `InputError`."""
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
        if (isinstance(stage, DistilStage) or getattr(stage, "teacher", False)) and teacher is None:
            raise recipe.error(path, f"stage '{stage.name}' follows a teacher; add a table [teacher]")
        if isinstance(stage, PruneStage) and all(getattr(stage, key) is None for key in _LIMITS):
            raise recipe.error(path, f"stage '{stage.name}' has no target; give macs, ram or flash")
        before = stage


def _described(value: object) -> str:
    """A value as a sentence about it names it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"'{value}'"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, dict):
        return "a table"
    return "missing" if value is None else str(value)
