"""From a streaming region to one step of a planning problem, whose accesses are the region's calls."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lichen.ir.accesses import Accesses, Intervals
from lichen.ir.module import Value
from lichen.plan.problem import Part, Rows, Step
from lichen.plan.rows import Region, row_bytes


def streamed_step(name: str, region: Region, buffer: Mapping[Value, str], scratch: tuple[int, int]) -> Step:
    """The step of `region`, whose calls need `scratch` bytes, aligned as the second number says. Its results are the tensors needed outside and the rings; tensors from outside are its operands."""
    rings = {buffer[owner]: rows for owner, rows in region.rings.items()}
    parts, done = [], [0] * len(region.stages)
    for call in region.calls:
        stage = region.stages[call]
        reads = tuple(_rows(v, buffer, rings) for v in stage.operands)
        parts.append(Part(reads, (_rows(stage.result, buffer, rings),), stage.accesses[done[call]]))
        done[call] += 1
    written = [*(buffer[v] for v in region.results), *rings]
    given = dict.fromkeys(buffer[v] for stage in region.stages for v in stage.reads if buffer[v] not in written)
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
    return Step(name, tuple(given), tuple(written), accesses, *scratch, parts=tuple(parts), rings=frozenset(rings))


def _rows(value: Value, buffer: Mapping[Value, str], rings: Mapping[str, int]) -> Rows:
    return Rows(value.name, buffer[value], rings.get(buffer[value], value.type.shape[1]), row_bytes(value))


def _touched(tensors: tuple[Rows, ...], accesses: Mapping[int, Intervals], buffer: str) -> Intervals:
    """The hull (1, 2) of the bytes of `buffer` that a part touches; of a ring all, for it may wrap."""
    first, last = [], []
    for k, rows in enumerate(tensors):
        used = accesses[k][accesses[k][:, 0] < accesses[k][:, 1]]
        if rows.buffer == buffer and len(used):
            size = rows.rows * rows.row_bytes
            lo, hi = int(used[:, 0].min()), int(used[:, 1].max())
            wraps = hi > size
            first.append(0 if wraps else lo)
            last.append(size if wraps else hi)
    return np.array([[min(first), max(last)] if first else [0, 0]], np.int64)
