"""Streams of code words: what was encoded is decoded, dense and sparse."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from coded import weights
from lichen.coding.stream import ESCAPES, Sparse, Symbols
from lichen.ir.module import Array


@settings(deadline=None)
@given(data=weights())
def test_decoding_gives_back_what_was_encoded(data: Array) -> None:
    """In both forms, to the last weight; the sparse form's symbols count what is written."""
    for symbols in (Symbols.dense(data), Symbols.sparse(data)):
        codes = symbols.codes()
        if codes is None:
            continue
        stream = codes.encode(data)
        bits = codes.values.bits(symbols.values)
        if codes.gaps is not None:
            assert symbols.gaps is not None
            bits += codes.gaps.bits(symbols.gaps)
        assert len(stream) == 2 * -(-bits // 16)
        np.testing.assert_array_equal(codes.decode(stream, data.size), data)


@given(data=weights(), escape=st.sampled_from(ESCAPES))
def test_gaps_and_values_tell_all(data: Array, escape: int) -> None:
    """Gaps and values add up to the length of the data; no gap is longer than the escape."""
    form = Sparse.of(data, escape)
    assert int(form.gaps.astype(int).sum()) + len(form.values) == data.size
    assert form.gaps.max() <= escape and np.count_nonzero(form.gaps != escape) == len(form.values) + 1
