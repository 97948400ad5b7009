"""Offsets by rule of thumb: place one item after another at the lowest address that its neighbours allow.

What matters is the sequence of placement. Several are tried, each from the bottom of the arena upwards and from its top
downwards (results like to lie below their operands, so a chain fills from one end). The best are then improved by local search:
an item at the peak, or any other, moves to an earlier turn, and the change stays unless the peak rises. All of it is
deterministic.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random

from lichen.plan.layout import Item, Layout, Placement

_IMPROVED = 4  # sequences that local search starts from
_PLACEMENTS = 10_000  # of single items, that it may try from each


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
        improved = _improve(table, placement, sequence, from_top, lower_bound)
        best = min(best, improved, key=lambda p: p.peak)
        if best.peak <= lower_bound:
            break
    return best


def _improve(table: _Table, best: Placement, sequence: list[int], from_top: bool, lower_bound: int) -> Placement:
    random = Random(0)
    for k in range(_PLACEMENTS // len(sequence)):
        turns = list(range(1, len(sequence)))
        if k % 2:
            far = [0 if from_top else best.peak - item.size for item in table.items]
            turns = [turn for turn in turns if best.starts[sequence[turn]] == far[sequence[turn]]] or turns
        turn = random.choice(turns)
        changed = sequence.copy()
        changed.insert(random.randrange(turn), changed.pop(turn))
        placement = table.fill(changed, from_top)
        if placement.peak <= best.peak:
            best, sequence = placement, changed
            if best.peak <= lower_bound:
                break
    return best


class _Table:
    """Each item's neighbours, as `(other, below, above)` that bound its start less the other's, and how crowded its life is."""

    def __init__(self, layout: Layout) -> None:
        self.items = layout.items
        self.neighbours: list[list[tuple[int, int, int]]] = [[] for _ in layout.items]
        for (i, j), between in layout.clearances.items():
            self.neighbours[j].append((i, between.below, between.above))
            self.neighbours[i].append((j, -between.above, -between.below))
        self.coarsest = max((item.alignment for item in layout.items), default=1)
        alive = Counter[int]()
        for item in layout.items:
            alive.update(dict.fromkeys(range(item.first, item.last + 1), item.size))
        self.crowd = [max(alive[moment] for moment in range(item.first, item.last + 1)) for item in layout.items]

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
    """Large items first; those of crowded moments; from the first to the last and back; long-lived ones; most byte-moments."""
    keys = [
        [(-item.size, item.first) for item in items],
        [(-crowd[i], -item.size) for i, item in enumerate(items)],
        [(item.first, -item.last) for item in items],
        [(-item.last, item.first) for item in items],
        [(item.first - item.last, -item.size) for item in items],
        [(item.size * (item.first - item.last - 1), item.first) for item in items],
    ]
    return [sorted(range(len(items)), key=key.__getitem__) for key in keys]
