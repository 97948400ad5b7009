"""Weights as a stream of code words, and back. The C twin is `backend/runtime/lichen_decoder.h`.

The *dense* form has one word for each weight. The *sparse* form has, in turn, how many zeros to skip and the next weight that is none:
a gap of `escape` stands for as many zeros without a weight behind them, and the last gap leads to the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lichen.coding.huffman import Code, Counts, histogram
from lichen.ir.module import Array

ESCAPES = (1, 3, 7, 15, 31, 63, 127, 254)
"""The gaps that may stand for more zeros than they have; one of them is best for a layer."""


@dataclass(frozen=True)
class Sparse:
    """The symbols of the sparse form: `gaps` (n,) uint8, and `values`, one for each gap that is no escape but the last."""

    gaps: Array
    values: Array
    escape: int

    @staticmethod
    def of(data: Array, escape: int) -> Sparse:
        """The form of int8 `data`."""
        places = np.flatnonzero(data)
        zeros = np.diff(np.concatenate([[-1], places, [data.size]])) - 1
        escapes, rests = zeros // escape, zeros % escape
        gaps = np.full(int(escapes.sum()) + len(zeros), escape, np.uint8)
        gaps[np.cumsum(escapes + 1) - 1] = rests
        return Sparse(gaps, data.reshape(-1)[places], escape)


@dataclass(frozen=True)
class Codes:
    """The codes of a layer's weights; `gaps` and `escape` belong to the sparse form."""

    values: Code
    gaps: Code | None = None
    escape: int = 0

    @property
    def form(self) -> str:
        """`dense` or `sparse`."""
        return "dense" if self.gaps is None else "sparse"

    @property
    def tables(self) -> list[Array]:
        """The tables of the codes, in flash."""
        return [code.table for code in (self.values, self.gaps) if code is not None]

    def encode(self, data: Array) -> Array:
        """The code words of int8 `data`, most significant bits first, as an even number of bytes (int8)."""
        flat = np.ascontiguousarray(data).reshape(-1)
        if self.gaps is None:
            symbols, codes = flat.view(np.uint8), [self.values]
            which = np.zeros(len(symbols), np.int64)
        else:
            parts = Sparse.of(flat, self.escape)
            has_value = parts.gaps[:-1] != self.escape
            at = np.cumsum(np.concatenate([[0], 1 + has_value]))  # where each gap stands
            symbols, which = np.zeros(at[-1] + 1, np.uint8), np.ones(at[-1] + 1, np.int64)
            symbols[at], values_at = parts.gaps, at[:-1][has_value] + 1
            symbols[values_at], which[values_at] = parts.values.view(np.uint8), 0
            codes = [self.values, self.gaps]
        lengths = np.array([code.lengths for code in codes], np.int64)[which, symbols]
        words = np.stack([code.words for code in codes])[which, symbols].astype(np.int64)
        assert lengths.all(), "a symbol has no code word"
        ends = np.cumsum(lengths)
        total = int(ends[-1])
        bits = np.zeros(-(-total // 16) * 16, np.uint8)
        for bit in range(int(lengths.max())):  # the lowest bit of every word, then the next of those that have one
            has = lengths > bit
            bits[ends[has] - 1 - bit] = words[has] >> bit & 1
        return np.packbits(bits).view(np.int8)

    def decode(self, data: Array, count: int) -> Array:
        """`count` weights of a stream, int8 (count,)."""
        bits = np.unpackbits(data.view(np.uint8))
        words = _symbols(bits, self)
        if self.gaps is None:
            return np.array([next(words) for _ in range(count)], np.uint8).view(np.int8)
        found, at = np.zeros(count, np.uint8), 0
        while (at := at + (gap := next(words))) < count:
            if gap != self.escape:
                found[at] = next(words)
                at += 1
        return found.view(np.int8)


def _symbols(bits: Array, codes: Codes) -> Iterator[int]:
    """The symbols that the bits stand for, one after the other."""
    books = [{(c.lengths[s], int(c.words[s])): s for s in c.symbols} for c in (codes.values, codes.gaps) if c]
    position, is_gap = 0, codes.gaps is not None
    while True:
        word, length = 0, 0
        while (length, word) not in books[is_gap]:
            word, length, position = word << 1 | int(bits[position]), length + 1, position + 1
        symbol = books[is_gap][length, word]
        yield symbol
        is_gap = codes.gaps is not None and (not is_gap or symbol == codes.escape)


@dataclass(frozen=True)
class Symbols:
    """What is to be coded of a layer: how often each value, and in the sparse form each gap, occurs."""

    values: Counts
    gaps: Counts | None = None
    escape: int = 0

    @staticmethod
    def dense(data: Array) -> Symbols:
        """Of the dense form of int8 `data`."""
        return Symbols(histogram(data))

    @staticmethod
    def sparse(data: Array) -> Symbols:
        """Of the sparse form with the best escape."""
        forms = [Sparse.of(data, escape) for escape in ESCAPES]
        found = [Symbols(histogram(f.values), histogram(f.gaps), f.escape) for f in forms]
        return min(found, key=lambda s: _own_bits(s.gaps))

    def codes(self) -> Codes | None:
        """The best codes; `None` where there is none."""
        values, gaps = Code.of(self.values), None if self.gaps is None else Code.of(self.gaps)
        if values is None or (self.gaps is not None and gaps is None):
            return None
        return Codes(values, gaps, self.escape)


def _own_bits(counts: Counts | None) -> int:
    """Bits of data with a code of their own, its table included."""
    code = None if counts is None else Code.of(counts)
    return 1 << 60 if code is None or counts is None else code.bits(counts) + 8 * len(code.table)
