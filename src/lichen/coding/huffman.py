"""Canonical Huffman codes of bytes, no code word longer than `LONGEST` bits. The C twin is `backend/runtime/lichen_decoder.h`.

A code is told by how many words of each length there are and by its symbols in the order of their words: the words follow, as in
Schwartz and Kallick (1964) and DEFLATE (RFC 1951).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from heapq import heapify, heappop, heappush

import numpy as np
from numpy.typing import NDArray

from lichen.ir.module import Array

LONGEST = 15
"""Bits of the longest code word."""
MOST_SYMBOLS = 255
"""A table has one byte for how many words of a length there are; 256 words would be bytes as they are."""

Counts = NDArray[np.int64]
"""How often each byte occurs, (256,), by its value as an unsigned number."""


def histogram(data: Array) -> Counts:
    """How often each byte of an int8 or uint8 array occurs."""
    return np.bincount(np.ascontiguousarray(data).reshape(-1).view(np.uint8), minlength=256).astype(np.int64)


@dataclass(frozen=True)
class Code:
    """`lengths` (256,) are the bits of each byte's code word, 0 for a byte that has none. Two symbols at least."""

    lengths: tuple[int, ...]

    @staticmethod
    def of(counts: Counts) -> Code | None:
        """The code of fewest bits for bytes that occur so often; `None` where all 256 do. A byte that is alone gets company, which costs a bit."""
        wanted = np.array(counts)
        for other in (0, 1):
            if np.count_nonzero(wanted) < 2 and not wanted[other]:
                wanted[other] = 1
        if np.count_nonzero(wanted) > MOST_SYMBOLS:
            return None
        return Code(tuple(int(n) for n in _lengths(wanted)))

    @cached_property
    def symbols(self) -> tuple[int, ...]:
        """The bytes in the order of their words: the shortest first, then by value."""
        return tuple(sorted((s for s in range(256) if self.lengths[s]), key=lambda s: (self.lengths[s], s)))

    @property
    def shortest(self) -> int:
        """Bits of the shortest word."""
        return self.lengths[self.symbols[0]]

    @property
    def longest(self) -> int:
        """Bits of the longest word."""
        return self.lengths[self.symbols[-1]]

    @cached_property
    def words(self) -> Array:
        """The code word of each byte, (256,) uint32."""
        words, word, length = np.zeros(256, np.uint32), -1, self.shortest
        for symbol in self.symbols:
            word = (word + 1) << (self.lengths[symbol] - length)
            length = self.lengths[symbol]
            words[symbol] = word
        return words

    @cached_property
    def table(self) -> Array:
        """The code in flash, int8: how many words of each length there are, from the shortest to the longest, then the symbols."""
        counts = np.bincount([self.lengths[s] for s in self.symbols])[self.shortest :]
        return np.array([*counts, *self.symbols], np.uint8).view(np.int8)

    def serves(self, counts: Counts) -> bool:
        """Whether every byte that occurs has a word."""
        return bool(np.all(np.array(self.lengths)[counts > 0] > 0))

    def bits(self, counts: Counts) -> int:
        """Bits of data whose bytes occur so often."""
        return int(np.dot(np.array(self.lengths, np.int64), counts))


def _lengths(counts: Counts) -> Sequence[int]:
    """The lengths of the words of a Huffman code, limited to `LONGEST` by package-merge (Larmore and Hirschberg 1990) where need be."""
    lengths = [0] * 256
    heap: list[tuple[int, int, tuple[int, ...]]] = [(int(n), s, (s,)) for s, n in enumerate(counts) if n]
    heapify(heap)
    while len(heap) > 1:
        (n, first, some), (m, _, others) = heappop(heap), heappop(heap)
        for symbol in (*some, *others):
            lengths[symbol] += 1
        heappush(heap, (n + m, first, some + others))
    return lengths if max(lengths) <= LONGEST else _limited(counts)


def _limited(counts: Counts) -> Sequence[int]:
    leaves = sorted((int(n), (s,)) for s, n in enumerate(counts) if n)
    packages: list[tuple[int, tuple[int, ...]]] = []
    for _ in range(LONGEST):
        row = sorted([*leaves, *packages])
        packages = [(a[0] + b[0], a[1] + b[1]) for a, b in zip(row[::2], row[1::2], strict=False)]
    lengths = [0] * 256
    for _, symbols in packages[: len(leaves) - 1]:
        for symbol in symbols:
            lengths[symbol] += 1
    return lengths
