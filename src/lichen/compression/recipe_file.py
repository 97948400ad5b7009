"""Recipes are read from TOML files, key by key.

How this works inside: a table of the file becomes an instance of its dataclass: names and types of the keys are those of the fields, the ranges of numbers
stand in one place, and a key that is no field is refused with the nearest one that is.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import tomllib
import types
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from lichen.compression import toml_lines
from lichen.compression.recipe import STAGES, TARGETS, Recipe, Source, Stage
from lichen.compression.recipe_checks import check_recipe
from lichen.errors import InputError
from lichen.nn.train import Recipe as Training

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
    check_recipe(recipe)
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
        return int(number) if whole else number if isinstance(number, int) and key in TARGETS else float(number)

    def _of(self, kind: Any, called: str, value: Any, key: str, path: toml_lines.Path) -> Any:
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.source.error(path, f"'{key}' is {_described(value)} where {called} is expected")
        return value


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
