"""On which line of a TOML file a key stands, which `tomllib` does not tell."""

from __future__ import annotations

import re
from collections.abc import Mapping

Path = tuple[str | int, ...]
"""Keys from the outermost table on; tables of an array `[[…]]` are counted from 0."""

_KEY = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_DOTTED = rf"{_KEY}(?:\s*\.\s*{_KEY})*"
_HEADER = re.compile(rf"\s*(\[\[?)\s*({_DOTTED})\s*\]\]?\s*(?:#.*)?$")
_ASSIGNMENT = re.compile(rf"\s*({_DOTTED})\s*=(.*)$")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"|\'[^\']*\'')


def key_lines(text: str) -> dict[Path, int]:
    """The line, from 1, of each table and each key of a valid TOML file; keys of inline tables are on the line of the table."""
    found: dict[Path, int] = {}
    table: Path = ()
    counts: dict[Path, int] = {}
    depth, quotes = 0, ""  # of an array that goes on, and the end of a string over several lines
    for number, line in enumerate(text.splitlines(), 1):
        if quotes:
            quotes = "" if quotes in line else quotes
            continue
        if depth == 0 and (header := _HEADER.match(line)):
            path = _resolved(_split(header[2]), counts)
            if header[1] == "[[":
                counts[path] = counts.get(path, -1) + 1
                path = (*path, counts[path])
            table = path
            found.setdefault(table, number)
            continue
        value = line
        if depth == 0 and (assignment := _ASSIGNMENT.match(line)):
            found.setdefault((*table, *_split(assignment[1])), number)
            value = assignment[2]
        for mark in ('"""', "'''"):
            if value.count(mark) % 2:
                quotes = mark
        bare = _STRING.sub("", value).split("#")[0]
        depth += bare.count("[") + bare.count("{") - bare.count("]") - bare.count("}")
    return found


def line_of(lines: Mapping[Path, int], path: Path) -> int:
    """The line of `path`, or of the innermost table around it that has one; 1 if there is none."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def _split(dotted: str) -> Path:
    return tuple(key.strip("\"'") for key in re.findall(_KEY, dotted))


def _resolved(keys: Path, counts: dict[Path, int]) -> Path:
    """With the number of the newest table of each array on the way, not the last."""
    path: Path = ()
    for place, key in enumerate(keys):
        path = (*path, key)
        if place < len(keys) - 1 and path in counts:
            path = (*path, counts[path])
    return path
