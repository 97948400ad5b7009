"""From a streaming region to one step of a planning problem, whose accesses are the region's calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lichen.ir.accesses import Accesses, Intervals
from lichen.ir.module import Value
from lichen.plan.problem import Part, Rows, Step
from lichen.plan.rows import Region, pixel_bytes, row_bytes


def streamed_step(name: str, region: Region, buffer: Mapping[Value, str], scratch: tuple[int, int]) -> Step:
    """The step of `region`, whose calls need `scratch` bytes, aligned as the second number says. Its results are the tensors needed
    outside and the rings; tensors from outside are its operands. Strips come one after the other.
    """
    rings = [owner.name for owner in region.rings]
    parts, read = [], dict[str, None]()
    for one in region.passes:
        done = [0] * len(one.stages)
        for call in one.calls:
            stage = one.stages[call]
            reads = tuple(_rows(one, v, buffer) for v in stage.operands)
            parts.append(Part(reads, (_rows(one, stage.result, buffer),), stage.accesses[done[call]]))
            done[call] += 1
        read.update((buffer[one.lies(v).tensor], None) for stage in one.stages for v in stage.operands)
    written = [*(buffer[v] for v in region.results), *rings]
    given = [b for b in read if b not in written]
    accesses = Accesses(
        _touched([(part.reads, part.accesses.reads) for part in parts], given),
        _touched([(part.writes, part.accesses.writes) for part in parts], written),
    )
    return Step(name, tuple(given), tuple(written), accesses, *scratch, parts=tuple(parts), rings=frozenset(rings))


def _rows(region: Region, value: Value, buffer: Mapping[Value, str]) -> Rows:
    tensor, first = region.lies(value)
    start = first * pixel_bytes(tensor)
    return Rows(tensor.name, buffer[tensor], region.kept(tensor), row_bytes(value), row_bytes(tensor), start)


def _touched(
    parts: Sequence[tuple[Sequence[Rows], Mapping[int, Intervals]]], buffers: Sequence[str]
) -> dict[int, Intervals]:
    """The hull of the bytes that each part touches of each of `buffers`; of a ring all, for it may wrap."""
    index = {name: i for i, name in enumerate(buffers)}
    first = np.full((len(buffers), len(parts)), np.iinfo(np.int64).max)
    last = np.zeros((len(buffers), len(parts)), np.int64)
    for k, (tensors, accesses) in enumerate(parts):
        for i, rows in enumerate(tensors):
            used = accesses[i][accesses[i][:, 0] < accesses[i][:, 1]]
            if rows.buffer in index and len(used):
                top, left = divmod(int(used[:, 0].min()), rows.row_bytes)
                bottom, right = divmod(int(used[:, 1].max()) - 1, rows.row_bytes)
                wraps = bottom >= rows.rows
                begin = 0 if wraps else rows.start + top * rows.pitch + left
                end = rows.rows * rows.pitch if wraps else rows.start + bottom * rows.pitch + right + 1
                b = index[rows.buffer]
                first[b, k], last[b, k] = min(first[b, k], begin), max(last[b, k], end)
    return {b: np.stack([np.minimum(first[b], last[b]), last[b]], axis=1) for b in range(len(buffers))}
