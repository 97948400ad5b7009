"""Canonical Huffman codes: prefix-free, complete, as short as the entropy allows, never longer than 15 bits."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lichen.coding.huffman import LONGEST, Code, histogram

COUNTS = st.dictionaries(st.integers(0, 255), st.integers(1, 10**6), min_size=1, max_size=255)


def counts_of(given_counts: dict[int, int]) -> np.ndarray:
    counts = np.zeros(256, np.int64)
    counts[list(given_counts)] = list(given_counts.values())
    return counts


def kraft(code: Code) -> int:
    return sum(1 << (LONGEST - code.lengths[s]) for s in code.symbols)


@given(drawn=COUNTS)
def test_codes_are_complete_and_nearly_as_short_as_the_entropy(drawn: dict[int, int]) -> None:
    """Kraft's sum is one, every byte that occurs has a word, and the mean word is less than a bit longer than the entropy."""
    counts = counts_of(drawn)
    code = Code.of(counts)
    assert code is not None and code.serves(counts)
    assert kraft(code) == 1 << LONGEST and 1 <= code.shortest <= code.longest <= LONGEST
    p = counts[counts > 0] / counts.sum()
    assert code.bits(counts) <= counts.sum() * (1 - (p * np.log2(p)).sum()) + 1e-6


def test_words_are_limited_to_fifteen_bits() -> None:
    """Counts like Fibonacci's numbers make the longest words; limited, they are still a complete code, within a twentieth of the entropy."""
    counts, a, b = np.zeros(256, np.int64), 1, 1
    for symbol in range(30):
        counts[symbol], a, b = a, b, a + b
    code = Code.of(counts)
    assert code is not None
    assert code.longest == LONGEST and kraft(code) == 1 << LONGEST
    lengths = [code.lengths[s] for s in range(30)]
    assert lengths == sorted(lengths, reverse=True)
    p = counts[:30] / counts.sum()
    assert code.bits(counts) <= counts.sum() * -(p * np.log2(p)).sum() * 1.05


@given(data=st.binary(min_size=1, max_size=300))
def test_words_are_canonical(data: bytes) -> None:
    """Words of one length follow each other in the order of their symbols, and none begins another."""
    code = Code.of(histogram(np.frombuffer(data, np.uint8)))
    assert code is not None
    words = [format(code.words[s], f"0{code.lengths[s]}b") for s in code.symbols]
    assert words == sorted(words)
    assert not any(later.startswith(word) for word, later in itertools.pairwise(words))


def test_all_bytes_have_no_code() -> None:
    """Of 256 values as frequent as each other a code would save nothing, and its table could not be written."""
    assert Code.of(np.ones(256, np.int64)) is None
