"""From a streaming region to one step of a planning problem, whose accesses are the region's calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from lichen.ir.accesses import Accesses, Intervals
from lichen.ir.kernel import Scratch
from lichen.ir.module import Value
from lichen.plan.problem import Part, Rows, Step
from lichen.plan.rows import Region, Stage, pixel_bytes, row_bytes
from lichen.plan.slide import step_of


def streamed_step(name: str, region: Region, buffer: Mapping[Value, str], scratches: Sequence[Scratch]) -> Step:
    """The step of `region`, whose calls need each one of `scratches`, one at a time. Its results are the tensors needed
    outside and the rings; tensors from outside are its operands. Strips come one after the other.
    """
    rings = [place.name for place in (*region.rings, *region.newest.values())]
    parts, read = list[Part](), dict[str, None]()
    for one in region.passes:
        parts += _parts(one, buffer)
        read.update((buffer[one.lies(v).tensor], None) for stage in one.stages for v in stage.operands)
    written = [*(buffer[v] for v in region.results), *rings]
    given = [b for b in read if b not in written]
    accesses = Accesses(
        _touched([(part.reads, part.accesses.reads) for part in parts], given),
        _touched([(part.writes, part.accesses.writes) for part in parts], written),
    )
    scratch, alignment = max(s.bytes for s in scratches), max(s.alignment for s in scratches)
    return Step(
        name, tuple(given), tuple(written), accesses, scratch, alignment, parts=tuple(parts), rings=frozenset(rings)
    )


def _parts(region: Region, buffer: Mapping[Value, str]) -> list[Part]:
    """The calls of the region, and behind each that moves a window on the rows it moves."""
    parts: list[Part] = []
    done = dict.fromkeys((stage.result for stage in region.stages), 0)
    first = dict.fromkeys(region.newest, 0)
    for call in region.calls:
        stage = region.stages[call]
        row, accesses = done[stage.result], stage.accesses[done[stage.result]]
        reads: list[tuple[Rows, Intervals]] = []
        for k, value in enumerate(stage.operands):
            places = _rows(region, value, buffer, first.get(value, 0))
            border = (first.get(value, 0) + places[0].rows) * places[0].row_bytes
            intervals = accesses.reads[k]
            apart = [np.minimum(intervals, border), np.maximum(intervals, border)] if len(places) > 1 else [intervals]
            reads += zip(places, apart, strict=True)
        places = _rows(region, stage.result, buffer, first.get(stage.result, 0))
        is_apart = len(places) > 1 and row >= first[stage.result] + places[0].rows
        read = Accesses(dict(enumerate(i for _, i in reads)), accesses.writes, accesses.atomic)
        parts.append(Part(tuple(rows for rows, _ in reads), (places[is_apart],), read))
        done[stage.result] += 1
        for value in set(stage.operands) & region.newest.keys():
            assert isinstance(stage, Stage)
            stride, padding = step_of(stage)
            moved_to = max((row + 1) * stride - padding, first[value])
            before, after = (_rows(region, value, buffer, f) for f in (first[value], moved_to))
            for kept in range(moved_to, done[value]) if moved_to > first[value] else ():
                whole = np.array([[kept * row_bytes(value), (kept + 1) * row_bytes(value)]], np.int64)
                source = before[kept >= first[value] + before[0].rows]
                parts.append(Part((source,), (after[0],), Accesses({0: whole}, {0: whole})))
            first[value] = moved_to
    return parts


def _rows(region: Region, value: Value, buffer: Mapping[Value, str], first: int) -> list[Rows]:
    """Where the rows of a tensor lie; where its newest row lies apart the others begin with row `first`."""
    tensor, column = region.lies(value)
    start = column * pixel_bytes(tensor)
    rows = Rows(tensor.name, buffer[tensor], region.kept(tensor), row_bytes(value), row_bytes(tensor), start, first)
    apart = region.newest.get(value)
    return [rows] if apart is None else [rows, replace(rows, buffer=buffer[apart], rows=1)]


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
                wraps = bottom >= rows.rows or rows.first > 0
                begin = 0 if wraps else rows.start + top * rows.pitch + left
                end = rows.rows * rows.pitch if wraps else rows.start + bottom * rows.pitch + right + 1
                b = index[rows.buffer]
                first[b, k], last[b, k] = min(first[b, k], begin), max(last[b, k], end)
    return {b: np.stack([np.minimum(first[b], last[b]), last[b]], axis=1) for b in range(len(buffers))}
