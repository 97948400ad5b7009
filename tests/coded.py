"""Random weights that are worth coding, for tests."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from lichen.ir.module import Array


@st.composite
def weights(draw: st.DrawFn, most: int = 500) -> Array:
    """Up to `most` weights, from few zeros to nothing else, of few values or many."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return some_weights(rng, draw(st.integers(1, most)), *draw(st.tuples(SHARES, SPREADS)))


SHARES = st.sampled_from([0.0, 0.02, 0.1, 0.5, 0.9, 1.0])
SPREADS = st.sampled_from([1, 4, 30, 60])


def some_weights(rng: np.random.Generator, count: int, share: float, spread: float) -> Array:
    """Rounded normal weights of so wide a spread, of which about this share is not set to zero."""
    values = np.clip(np.rint(rng.normal(0, spread, count)), -127, 127)
    return np.where(rng.random(count) < share, values, 0).astype(np.int8)
