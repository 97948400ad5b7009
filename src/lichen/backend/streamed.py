"""A streaming region as C: a loop over a table that says whose turn it is, around one kernel call for each stage."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Sequence

from lichen.ir.module import Operation, Value
from lichen.plan.rows import Region, Stage, pixel_bytes, row_bytes
from lichen.plan.slide import step_of

SLIDE = "lichen_slide.h"
"""What is included where newest rows lie apart."""

SUFFIXES = {"int8": "s8", "float32": "f32"}


def view(value: Value, address: str, rows: int) -> str:
    """A view of a tensor of which `rows` rows are kept at `address`."""
    return f"lichen_rows_{SUFFIXES[str(value.type.dtype.numpy)]}({address}, {rows})"


def row_place(region: Region, address: Callable[[Value, int], str]) -> Callable[[Value, int | None, bool], str]:
    """How a stage's call names a tensor that it reads or, the last argument says, writes: as a view, or, to a kernel that knows no
    rows, by the address of row `row`.

    `address` is that of a byte of a tensor.
    """

    def place(value: Value, rows: int | None, is_written: bool) -> str:
        if value in region.newest:
            if not is_written:
                return _window(region, value, address)
            index, length, kept = list(region.newest).index(value), row_bytes(value), region.rings[value]
            before, apart = address(value, 0), address(region.newest[value], 0)
            here = f"(row - first[{index}] < {kept} ? {before} + (row - first[{index}]) * {length} : {apart})"
            return here if rows is None else view(value, here, 1)
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


def _window(region: Region, value: Value, address: Callable[[Value, int], str]) -> str:
    """The view of a tensor whose newest row lies apart."""
    index, kept = list(region.newest).index(value), region.rings[value]
    return f"lichen_window_s8({address(value, 0)}, {kept}, first[{index}], {address(region.newest[value], 0)})"


def slide(region: Region, operation: Operation, address: Callable[[Value, int], str], indent: str) -> str:
    """What follows the call of a stage that reads a tensor whose newest row lies apart; nothing for others."""
    texts = []
    for stage in region.stages:
        for value in region.newest:
            if isinstance(stage, Stage) and stage.op is operation and value in stage.operands:
                stride, padding = step_of(stage)
                writer = [other.result for other in region.stages].index(value)
                begin = f"{'row + 1' if stride == 1 else f'(row + 1) * {stride}'}{f' - {padding}' if padding else ''}"
                window = _window(region, value, address)
                index = list(region.newest).index(value)
                call = f"lichen_slide_s8({window}, {row_bytes(value)}, {begin}, next[{writer}])"
                texts.append(f"\n{indent}first[{index}] = {call};")
    return "".join(texts)


def streamed(region: Region, schedule: str, statements: Sequence[str]) -> str:
    """The loop; `schedule` is the C name of the table, `statements` the calls of the stages for row `row`."""
    uses_rows = any(re.search(r"\brow\b", text) for text in statements)
    stage = f"const int stage = lichen_flash_s8({schedule} + k){', row = next[stage]++' if uses_rows else ''};"
    cases = "\n".join(f"    case {i}:\n{text}\n        break;" for i, text in enumerate(statements))
    return f"""    {{
{f"        int next[{len(statements)}] = {{0}};{chr(10)}" if uses_rows else ""}{
        f"        int first[{len(region.newest)}] = {{0}};{chr(10)}" if region.newest else ""
    }        for (int k = 0; k < {len(region.calls)}; k++) {{
            {stage}
            switch (stage) {{
{textwrap.indent(cases, " " * 8)}
            default: break;
            }}
        }}
    }}"""
