"""Which layers share a code: a table less in flash against words that fit each layer a little worse."""

from __future__ import annotations

from collections.abc import Sequence

from lichen.coding.huffman import Code, Counts


def shared_codes(histograms: Sequence[Counts]) -> list[Code | None]:
    """A code for each of `histograms`, the same for several where that takes fewer bytes, tables included; `None` where there is none.

    Greedy: the two groups whose union saves most become one, until none saves anything.
    """
    groups = [_Group((index,), counts) for index, counts in enumerate(histograms)]
    gains = {(a, b): _gain(a, b) for i, a in enumerate(groups) for b in groups[i + 1 :]}
    while gains and max(gains.values()) > 0:
        first, second = max(gains, key=lambda pair: gains[pair])
        both = _Group((*first.members, *second.members), first.counts + second.counts)
        groups = [g for g in groups if g is not first and g is not second]
        gains = {pair: gain for pair, gain in gains.items() if first not in pair and second not in pair}
        gains |= {(other, both): _gain(other, both) for other in groups}
        groups.append(both)
    codes: list[Code | None] = [None] * len(histograms)
    for group in groups:
        for member in group.members:
            codes[member] = group.code
    return codes


class _Group:
    """Layers with one code."""

    def __init__(self, members: tuple[int, ...], counts: Counts) -> None:
        self.members, self.counts = members, counts
        self.code = Code.of(counts)
        self.bits = 1 << 60 if self.code is None else self.code.bits(counts) + 8 * len(self.code.table)


def _gain(a: _Group, b: _Group) -> int:
    return a.bits + b.bits - _Group((), a.counts + b.counts).bits
