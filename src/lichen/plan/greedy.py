"""Offsets by rule of thumb: place one item after another at the lowest address that its neighbours allow.

What matters is the order of placement. Several are tried, each from the bottom of the arena upwards and from its top downwards (results
like to lie below their operands, so a chain fills from one end). The best are then improved: the items at the peak are placed first
in the next round, until the peak is at the bound or the rounds are over. Everything is deterministic.
"""

from __future__ import annotations

from collections.abc import Sequence

from lichen.plan.layout import Item, Layout, Placement

_ROUNDS = 60
_IMPROVED = 3


def place(layout: Layout, lower_bound: int) -> Placement:
    """The best placement found; the search ends early at one whose peak is `lower_bound`."""
    table = _Table(layout)
    tried: list[tuple[Placement, list[int], bool]] = []
    for sequence in _sequences(layout.items, table.crowd):
        for from_top in (False, True):
            placement = table.fill(sequence, from_top)
            if placement.peak <= lower_bound:
                return placement
            tried.append((placement, sequence, from_top))
    tried.sort(key=lambda entry: entry[0].peak)
    best = tried[0][0]
    for placement, sequence, from_top in tried[:_IMPROVED]:
        for _ in range(_ROUNDS):
            sequence = _peak_first(layout.items, placement, sequence, from_top)
            placement = table.fill(sequence, from_top)
            best = min(best, placement, key=lambda p: p.peak)
            if best.peak <= lower_bound:
                return best
    return best


class _Table:
    """The neighbours of each item: `(other, below, above)`, where this item's start less the other's is bounded."""

    def __init__(self, layout: Layout) -> None:
        self.items = layout.items
        self.neighbours: list[list[tuple[int, int, int]]] = [[] for _ in layout.items]
        for (i, j), between in layout.clearances.items():
            self.neighbours[j].append((i, between.below, between.above))
            self.neighbours[i].append((j, -between.above, -between.below))
        self.coarsest = max((item.alignment for item in layout.items), default=1)
        self.crowd = [max(self._alive(k) for k in range(item.first, item.last + 1)) for item in layout.items]

    def _alive(self, moment: int) -> int:
        return sum(item.size for item in self.items if item.first <= moment <= item.last)

    def fill(self, sequence: Sequence[int], from_top: bool) -> Placement:
        """Places the items in turn, each as low as its placed neighbours allow, or as high when `from_top`."""
        starts: dict[int, int] = {}
        for i in sequence:
            starts[i] = self._lowest(i, starts, from_top)
        if from_top:
            # Addresses were counted down from the top of the arena; the top must suit every alignment.
            top = max((starts[i] + item.size for i, item in enumerate(self.items)), default=0)
            top = -(-top // self.coarsest) * self.coarsest
            starts = {i: top - starts[i] - item.size for i, item in enumerate(self.items)}
            spare = min(starts.values(), default=0) // self.coarsest * self.coarsest
            starts = {i: start - spare for i, start in starts.items()}
        peak = max((starts[i] + item.size for i, item in enumerate(self.items)), default=0)
        return Placement(tuple(starts[i] for i in range(len(self.items))), peak)

    def _lowest(self, i: int, starts: dict[int, int], from_top: bool) -> int:
        item, grid = self.items[i], self.items[i].alignment
        # Counted from the top, an item's far end is what has to be aligned.
        shift = item.size % grid if from_top else 0
        taken = []
        for other, below, above in self.neighbours[i]:
            if other in starts:
                if from_top:
                    lean = self.items[other].size - item.size
                    below, above = lean - above, lean - below
                taken.append((starts[other] + below, starts[other] + above))
        taken.sort()
        start = _align(0, grid, shift)
        for below, above in taken:
            if below < start < above:
                start = _align(above, grid, shift)
        return start


def _align(address: int, grid: int, shift: int) -> int:
    """The lowest address from `address` on that is `shift` short of a multiple of `grid`."""
    return -(-(address + shift) // grid) * grid - shift


def _sequences(items: Sequence[Item], crowd: Sequence[int]) -> list[list[int]]:
    keys = [
        [(-item.size, item.first) for item in items],
        [(-crowd[i], -item.size) for i, item in enumerate(items)],
        [(item.first, -item.last) for item in items],
        [(-item.last, item.first) for item in items],
        [(item.first - item.last, -item.size) for item in items],
        [(item.size * (item.first - item.last - 1), item.first) for item in items],
    ]
    return [sorted(range(len(items)), key=key.__getitem__) for key in keys]


def _peak_first(items: Sequence[Item], placement: Placement, sequence: Sequence[int], from_top: bool) -> list[int]:
    far = [start if from_top else placement.peak - start - items[i].size for i, start in enumerate(placement.starts)]
    return sorted(sequence, key=lambda i: far[i] > 0)
