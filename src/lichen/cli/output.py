"""What all verbs print with: one JSON object on standard output, everything else for people on standard error or as a table."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

messages = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
"""For progress and remarks; standard output belongs to the answer. Brackets are brackets, and a line stays a line."""


def print_json(answer: Mapping[str, Any]) -> None:
    """The answer of a verb under `--json`."""
    json.dump(answer, sys.stdout, indent=1)
    sys.stdout.write("\n")


def write_json(path: Path, answer: Mapping[str, Any]) -> None:
    """The same object, in a file; folders are made as needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(answer, indent=1) + "\n", "utf-8")


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table for people; numbers get thousands separators and stand on the right, `None` becomes a dash."""
    table = Table()
    for index, column in enumerate(columns):
        numeric = any(isinstance(row[index], int | float) and not isinstance(row[index], bool) for row in rows)
        table.add_column(column, justify="right" if numeric else "left")
    for row in rows:
        table.add_row(*map(text, row))
    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 140)
    if title:
        console.print(
            title, style="bold", soft_wrap=True
        )  # over the table, not inside: there it would break where the table ends
    console.print(table)


def text(value: object) -> str:
    """A figure as people read it."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.3f}" if isinstance(value, float) else str(value)


@contextmanager
def progress_bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on standard error; the block calls what it is given with the number of steps done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=messages, transient=True, disable=not messages.is_terminal) as progress:
        task = progress.add_task(what, total=total)
        yield lambda steps: progress.advance(task, steps)
