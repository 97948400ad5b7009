"""What a region holds in RAM at each of its calls, known without planning it, as a whole and in strips."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from lichen.ir.module import Value
from lichen.plan.rows import Region, Stage, pixel_bytes, row_bytes
from lichen.plan.strips import Range, strip_columns

Int64s = NDArray[np.int64]


class Need:
    """Bytes of a region's rings, results, and operands that die in it; over its calls where they change."""

    def __init__(self, region: Region, dying: Collection[Value]) -> None:
        """`dying` are the tensors from outside that nobody needs after the region."""
        self.region = region
        self.count = len(region.calls)
        self.alive = _alive(region)
        self.column_bytes = [(owner, rows * pixel_bytes(owner)) for owner, rows in region.rings.items()]
        self.results = sum(value.type.bytes for value in region.results)
        self.operands = 0
        self.written = np.zeros(self.count, np.int64)
        for stage, turns in zip(region.stages, region.turns, strict=True):
            if stage.result not in region.home:
                done = np.zeros(self.count, np.int64)
                done[turns] = row_bytes(stage.result)
                self.written += np.cumsum(done)
        self.unread = np.zeros(self.count, np.int64)
        for value in dying:
            readers = [
                (turns, stage.needs[value][: len(turns)])
                for stage, turns in zip(region.stages, region.turns, strict=True)
                if value in stage.needs
            ]
            end = max(int(ranges[:, 1].max()) for _, ranges in readers)
            self.operands += row_bytes(value) * end
            first = np.full(self.count, end, np.int64)
            for turns, ranges in readers:
                first[turns] = np.minimum(first[turns], ranges[:, 0])
            self.unread += row_bytes(value) * (end - np.minimum.accumulate(first[::-1])[::-1])

    def whole(self) -> int:
        """The most that the region holds at any of its calls."""
        return int((self._rings({}) + _newest(self.region) + self.written + self.unread).max())

    def in_strips(self, count: int, limit: float) -> tuple[int, int] | None:
        """The same for the region in `count` strips, and the multiply-accumulate operations of these; `None` if it cannot be cut so
        or does not stay below `limit`.

        Results grow in the first strip and operands die in the last; at all others both are whole.
        """
        most = macs = 0
        for index in sorted(range(count), key=lambda index: abs(2 * index - count)):  # those in the middle need most
            columns = strip_columns(self.region, count, index)
            if columns is None:
                return None
            held = self._rings(columns)
            held += self.written if index == 0 else self.results
            held += self.unread if index == count - 1 else self.operands
            most = max(most, int(held.max()))
            if most >= limit:
                return None
            macs += sum(
                stage.pixel_macs * len(turns) * (columns[stage.result][1] - columns[stage.result][0])
                for stage, turns in zip(self.region.stages, self.region.turns, strict=True)
                if isinstance(stage, Stage)
            )
        return most, macs

    def _rings(self, columns: Mapping[Value, Range]) -> Int64s:
        """All rings over the calls, of some columns each or, where none are given, of all."""
        sizes = []
        for owner, column in self.column_bytes:
            first, last = columns.get(owner, (0, owner.type.shape[2]))
            sizes.append((last - first) * column)
        return np.asarray(np.array(sizes, np.int64) @ self.alive)


def _newest(region: Region) -> Int64s:
    """Bytes of the newest rows that lie apart, each from the call that writes it to that which reads it, over the calls."""
    total = np.zeros(len(region.calls), np.int64)
    writers = {stage.result: turns for stage, turns in zip(region.stages, region.turns, strict=True)}
    for stage, turns in zip(region.stages, region.turns, strict=True):
        for value in region.newest.keys() & stage.needs.keys():
            first, last = stage.needs[value][: len(turns)].T
            full = np.flatnonzero((last - first > region.rings[value]) & (last > np.append([0], last[:-1])))
            change = np.zeros(len(region.calls) + 1, np.int64)
            np.add.at(change, writers[value][last[full] - 1], 1)
            np.subtract.at(change, turns[full] + 1, 1)
            total += row_bytes(value) * np.cumsum(change)[:-1]
    return total


def _alive(region: Region) -> Int64s:
    """1 at the calls at which a ring holds a row that this call writes or reads, or a later one reads, else 0; a row for each ring."""
    readers: dict[Value, list[tuple[Int64s, Int64s]]] = {}
    for stage, turns in zip(region.stages, region.turns, strict=True):
        for value, ranges in stage.needs.items():
            readers.setdefault(value, []).append((turns, ranges[: len(turns)]))
    changes = {owner: np.zeros(len(region.calls) + 1, np.int64) for owner in region.rings}
    for stage, turns in zip(region.stages, region.turns, strict=True):
        if stage.result in region.home:
            holds = changes[region.home[stage.result]]
            holds[turns] += 1
            np.subtract.at(holds, _last_reads(turns, readers.get(stage.result, [])) + 1, 1)
    rows = [np.cumsum(change)[:-1] > 0 for change in changes.values()]
    return np.array(rows, np.int64).reshape(len(rows), len(region.calls))


def _last_reads(written: Int64s, readers: Sequence[tuple[Int64s, Int64s]]) -> Int64s:
    """The call that reads each row last, of rows written at the calls `written`; the latter if none does."""
    last_read = written.copy()
    row = np.arange(len(written))
    for turns, ranges in readers:  # windows only move down, so the last that reaches a row reads it last
        first, last = ranges.T
        reader = np.maximum(np.searchsorted(first, row, side="right") - 1, 0)
        reads = np.where((first[reader] <= row) & (row < last[reader]), turns[reader], 0)
        np.maximum(last_read, reads, out=last_read)
    return last_read
