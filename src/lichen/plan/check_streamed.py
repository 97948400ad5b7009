"""The independent replay of a streamed step: a byte of a ring knows the tensor and the row it belongs to.

Where a row lies follows from the number of rows that are kept, here as in the kernels. That the row found there is the one wanted,
not an older or a newer one in the same place, and that no call overwrites what it still has to read, is what is checked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from lichen.ir.accesses import Intervals
from lichen.plan.problem import Rows, Step

Int64s = NDArray[np.int64]
Access = Callable[[Intervals, int], Int64s]
"""For each of so many bytes the first, or the last, row of the intervals that contains it."""

_ROWS = 1 << 16  # more than a tensor has
_TENSORS = 1 << 16  # more than a step has


class StreamedReplay:
    """Runs the parts of `step` over `owner`, the tags of all bytes of the arena; whole buffers have those of `tags`.

    `number` tells the step from others. `refuse` gets a sentence about what is wrong, and does not return.
    """

    def __init__(
        self,
        step: Step,
        number: int,
        owner: Int64s,
        starts: Mapping[str, int],
        sizes: Mapping[str, int],
        tags: Mapping[str, int],
        refuse: Callable[[str], None],
    ) -> None:
        self.step, self.owner, self.starts, self.sizes, self.tags, self.refuse = (
            step,
            owner,
            starts,
            sizes,
            tags,
            refuse,
        )
        self.first_tag = ((number + 1) * _TENSORS) * _ROWS
        self.tensors: dict[str, int] = {}
        self.last_read = np.full(len(owner), -1, np.int64)  # of the part that is run

    def run(self, first_access: Access, last_access: Access) -> None:
        """Refuses the first part that reads a byte which is not what it should be."""
        for index, part in enumerate(self.step.parts):
            who = f"call {index} of step {self.step.name!r}"
            touched = []
            for k, rows in enumerate(part.reads):
                offsets, addresses, when = self._touched(rows, part.accesses.reads[k], last_access)
                self._demand(rows, offsets, addresses, who)
                self.last_read[addresses] = np.maximum(self.last_read[addresses], when)
                touched.append(addresses)
            for k, rows in enumerate(part.writes):
                _, addresses, when = self._touched(rows, part.accesses.writes[k], first_access)
                read = self.last_read[addresses]
                late = read > when if part.accesses.atomic else read >= when
                if late.any():
                    self.refuse(
                        f"{who} overwrites byte {addresses[late][0]} of the arena with {rows.tensor!r} before its last read of it"
                    )
            for addresses in touched:
                self.last_read[addresses] = -1
            for k, rows in enumerate(part.writes):
                offsets, addresses, _ = self._touched(rows, part.accesses.writes[k], last_access)
                self.owner[addresses] = self._tags(rows, offsets)

    def _touched(self, rows: Rows, intervals: Intervals, access: Access) -> tuple[Int64s, Int64s, Int64s]:
        """The bytes that are touched, as offsets in the tensor and as addresses in the arena, and when."""
        used = np.flatnonzero(intervals[:, 0] < intervals[:, 1])
        if not len(used):
            return (np.zeros(0, np.int64),) * 3
        first, last = int(intervals[used, 0].min()), int(intervals[used, 1].max())
        if rows.start + (rows.rows - 1) * rows.pitch + rows.row_bytes > self.sizes[rows.buffer]:
            self.refuse(f"buffer {rows.buffer!r} has no room for {rows.rows} rows of {rows.tensor!r}")
        when = access(intervals[used] - first, last - first)
        touched = np.flatnonzero((when >= 0) & (when < len(used)))
        offsets = touched + first
        place = (
            rows.start + (offsets // rows.row_bytes - rows.first) % rows.rows * rows.pitch + offsets % rows.row_bytes
        )
        return offsets, place + self.starts[rows.buffer], used[when[touched]]

    def _demand(self, rows: Rows, offsets: Int64s, addresses: Int64s, who: str) -> None:
        wrong = np.flatnonzero(self.owner[addresses] != self._tags(rows, offsets))
        if wrong.size:
            row, byte = divmod(int(offsets[wrong[0]]), rows.row_bytes)
            self.refuse(f"{who} reads byte {byte} of row {row} of {rows.tensor!r}, which is not there")

    def _tags(self, rows: Rows, offsets: Int64s) -> Int64s:
        if rows.buffer not in self.step.rings:
            return np.full(len(offsets), self.tags[rows.buffer], np.int64)
        tensor = self.tensors.setdefault(rows.tensor, len(self.tensors))
        return self.first_tag + tensor * _ROWS + offsets // rows.row_bytes
