"""Finding int8 weights again behind their dequantised values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.passes.weight_grid import weight_grid


@given(st.integers(0, 2**32 - 1), st.integers(1, 127), st.floats(1e-6, 1e3))
def test_dequantised_weights_are_found_again(seed: int, largest: int, scale: float) -> None:
    """Whatever the scale and however little of the range is used, the real values come back to 1e-6 of the largest."""
    stored = np.random.default_rng(seed).integers(-largest, largest + 1, (3, 20)).astype(np.float32)
    weights = stored * np.float32(scale)
    values, scales = weight_grid(weights)
    np.testing.assert_allclose(values * np.array(scales)[:, None], weights, rtol=0, atol=1e-6 * largest * scale)


def test_full_range_gives_the_same_integers() -> None:
    """A row that uses the value 127 comes back with its own integers and its own scale."""
    stored = np.array([[127, -3, 5, 64]], np.float32)
    values, scales = weight_grid(stored * np.float32(0.0123))
    assert (values == stored).all() and scales == (float(np.float32(0.0123)),)


def test_one_scale_for_all_rows_stays_one() -> None:
    """Where the program has one scale for the layer, rows of small values keep their own integers, and there is one scale."""
    stored = np.array([[127, -3, 5, 64], [2, 0, -4, 1], [0, 0, 0, 0]], np.float32)
    values, scales = weight_grid(stored * np.float32(0.0123))
    assert (values == stored).all() and scales == pytest.approx((0.0123,))


def test_scales_of_their_own_stay_apart() -> None:
    """Rows that lie on grids of their own, not on a common one, have a scale each."""
    stored = np.array([[127, -3], [127, 50]], np.float32)
    values, scales = weight_grid(stored * np.array([[0.01], [0.0137]], np.float32))
    assert (values == stored).all() and scales == pytest.approx((0.01, 0.0137))


def test_other_weights_are_rounded() -> None:
    """Weights on no grid are rounded to within half a step of the finest grid that holds them."""
    weights = np.random.default_rng(0).normal(size=(4, 50)).astype(np.float32)
    values, scales = weight_grid(weights)
    steps = np.abs(weights).max(axis=1) / 127
    np.testing.assert_allclose(scales, steps, rtol=1e-6)
    assert (np.abs(values * np.array(scales)[:, None] - weights) <= 0.5001 * steps[:, None]).all()


def test_zeros() -> None:
    """A dead channel has a scale all the same."""
    values, scales = weight_grid(np.zeros((1, 3), np.float32))
    assert not values.any() and scales == (1.0,)
