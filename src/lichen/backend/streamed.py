"""A streaming region as C: a loop over a table that says whose turn it is, around one kernel call for each stage."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Sequence

from lichen.ir.module import Value
from lichen.plan.rows import Region, pixel_bytes, row_bytes

SUFFIXES = {"int8": "s8", "float32": "f32"}


def view(value: Value, address: str, rows: int) -> str:
    """A view of a tensor of which `rows` rows are kept at `address`."""
    return f"lichen_rows_{SUFFIXES[str(value.type.dtype.numpy)]}({address}, {rows})"


def row_place(region: Region, address: Callable[[Value, int], str]) -> Callable[[Value, int | None], str]:
    """How a stage's call names a tensor: as a view, or, to a kernel that knows no rows, by the address of row `row`.

    `address` is that of a byte of a tensor.
    """

    def place(value: Value, rows: int | None) -> str:
        tensor, first = region.lies(value)
        start, kept = address(tensor, first * pixel_bytes(tensor)), region.kept(tensor)
        if rows is not None:
            return view(tensor, start, kept)
        elements = row_bytes(tensor) // tensor.type.dtype.size
        if kept == 1:
            return start
        return f"{start} + {'row' if kept == tensor.type.shape[1] else f'row % {kept}'} * {elements}"

    return place


def streamed_comment(region: Region) -> str:
    """What the loops of a region do."""
    first, last = region.operations[0].name, region.operations[-1].name
    strips = f" in {len(region.strips)} strips of columns, each" if region.strips else ","
    return f"    /* {first} to {last}{strips} row by row: of the tensors between only the rows that are still needed */"


def streamed(region: Region, schedule: str, statements: Sequence[str]) -> str:
    """The loop; `schedule` is the C name of the table, `statements` the calls of the stages for row `row`."""
    uses_rows = any(re.search(r"\brow\b", text) for text in statements)
    stage = f"const int stage = lichen_flash_s8({schedule} + k){', row = next[stage]++' if uses_rows else ''};"
    cases = "\n".join(f"    case {i}:\n{text}\n        break;" for i, text in enumerate(statements))
    return f"""    {{
{f"        int next[{len(statements)}] = {{0}};{chr(10)}" if uses_rows else ""}        for (int k = 0; k < {len(region.calls)}; k++) {{
            {stage}
            switch (stage) {{
{textwrap.indent(cases, " " * 8)}
            default: break;
            }}
        }}
    }}"""
