"""Layers share a code where a table less outweighs words that fit each of them a little worse."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from coded import SHARES, SPREADS, some_weights
from lichen.coding.huffman import Code, Counts, histogram
from lichen.coding.sharing import shared_codes


def total(codes: list[Code | None], histograms: list[Counts]) -> int:
    """Bits of all words, and of each table once."""
    assert all(code is not None and code.serves(h) for code, h in zip(codes, histograms, strict=True))
    tables = {code.table.tobytes() for code in codes if code is not None}
    words = sum(code.bits(h) for code, h in zip(codes, histograms, strict=True) if code is not None)
    return words + 8 * sum(map(len, tables))


@settings(deadline=None, max_examples=30)
@given(drawn=st.lists(st.tuples(st.integers(1, 3000), SHARES, SPREADS), min_size=1, max_size=8))
def test_sharing_never_takes_more(drawn: list[tuple[int, float, int]]) -> None:
    """Every layer gets a code for all its values, and together they take no more than with codes of their own."""
    rng = np.random.default_rng(0)
    histograms = [histogram(some_weights(rng, *one)) for one in drawn]
    own = [Code.of(h) for h in histograms]
    assert total(shared_codes(histograms), histograms) <= total(own, histograms)


def test_small_layers_of_one_kind_share_and_unlike_ones_do_not() -> None:
    """Two small layers with the same spread have one code; a large one of few values keeps its own."""
    rng = np.random.default_rng(1)
    small = [histogram(some_weights(rng, 300, 1.0, 30)) for _ in range(2)]
    large = histogram(some_weights(rng, 20000, 1.0, 1))
    first, second, third = shared_codes([*small, large])
    assert first is second and third is not first
