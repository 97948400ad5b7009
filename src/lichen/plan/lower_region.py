"""From a streaming region to one step of a planning problem, whose accesses are the region's calls."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lichen.ir.accesses import Accesses, Intervals
from lichen.ir.module import Value
from lichen.plan.problem import Part, Rows, Step
from lichen.plan.rows import Region, pixel_bytes, row_bytes


def streamed_step(
    name: str,
    region: Region,
    buffer: Mapping[Value, str],
    scratch: tuple[int, int] = (0, 1),
    after: tuple[str, ...] = (),
) -> Step:
    """The step of `region`, whose calls need `scratch` bytes, aligned as the second number says. Its results are the tensors needed
    outside and the rings; tensors from outside are its operands.
    """
    rings = {buffer[owner]: rows for owner, rows in region.rings.items()}
    parts, done = [], [0] * len(region.stages)
    for call in region.calls:
        stage = region.stages[call]
        reads = tuple(_rows(region, v, buffer) for v in stage.operands)
        parts.append(Part(reads, (_rows(region, stage.result, buffer),), stage.accesses[done[call]]))
        done[call] += 1
    written = [*(buffer[v] for v in region.results), *rings]
    read = dict.fromkeys(buffer[region.lies(v).tensor] for stage in region.stages for v in stage.operands)
    given = [b for b in read if b not in written]
    accesses = Accesses(
        {
            i: np.concatenate([_touched(part.reads, part.accesses.reads, b) for part in parts])
            for i, b in enumerate(given)
        },
        {
            i: np.concatenate([_touched(part.writes, part.accesses.writes, b) for part in parts])
            for i, b in enumerate(written)
        },
    )
    return Step(name, tuple(given), tuple(written), accesses, *scratch, after, tuple(parts), frozenset(rings))


def _rows(region: Region, value: Value, buffer: Mapping[Value, str]) -> Rows:
    tensor, first = region.lies(value)
    start = first * pixel_bytes(tensor)
    return Rows(tensor.name, buffer[tensor], region.kept(tensor), row_bytes(value), row_bytes(tensor), start)


def _touched(tensors: tuple[Rows, ...], accesses: Mapping[int, Intervals], buffer: str) -> Intervals:
    """The hull (1, 2) of the bytes of `buffer` that a part touches; of a ring all, for it may wrap."""
    first, last = [], []
    for k, rows in enumerate(tensors):
        used = accesses[k][accesses[k][:, 0] < accesses[k][:, 1]]
        if rows.buffer == buffer and len(used):
            (top, left), (bottom, right) = (
                divmod(int(byte), rows.row_bytes) for byte in (used[:, 0].min(), used[:, 1].max() - 1)
            )
            wraps = bottom >= rows.rows
            first.append(0 if wraps else rows.start + top * rows.pitch + left)
            last.append(rows.rows * rows.pitch if wraps else rows.start + bottom * rows.pitch + right + 1)
    return np.array([[min(first), max(last)] if first else [0, 0]], np.int64)
