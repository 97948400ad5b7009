"""Finding int8 weights again behind their dequantised values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lichen.passes.weight_grid import weight_grid


def found(weights: NDArray[np.float32]) -> tuple[NDArray[np.int8], tuple[float, ...]]:
    grid = weight_grid(weights)
    assert grid is not None
    return grid


@given(st.integers(0, 2**32 - 1), st.integers(1, 127), st.floats(1e-6, 1e3))
def test_dequantised_weights_are_found_again(seed: int, largest: int, scale: float) -> None:
    """Whatever the scale and however little of the range is used, the real values come back to 1e-6 of the largest."""
    stored = np.random.default_rng(seed).integers(-largest, largest + 1, (3, 20)).astype(np.float32)
    weights = stored * np.float32(scale)
    values, scales = found(weights)
    np.testing.assert_allclose(values * np.array(scales)[:, None], weights, rtol=0, atol=1e-6 * largest * scale)


def test_full_range_gives_the_same_integers() -> None:
    """A row that uses the value 127 comes back with its own integers and its own scale."""
    stored = np.array([[127, -3, 5, 64]], np.float32)
    values, scales = found(stored * np.float32(0.0123))
    assert (values == stored).all() and scales == (float(np.float32(0.0123)),)


def test_one_scale_for_all_rows_stays_one() -> None:
    """Where the program has one scale for the layer, rows of small values keep their own integers, and there is one scale."""
    stored = np.array([[127, -3, 5, 64], [2, 0, -4, 1], [0, 0, 0, 0]], np.float32)
    values, scales = found(stored * np.float32(0.0123))
    assert (values == stored).all() and scales == pytest.approx((0.0123,))


def test_scales_of_their_own_stay_apart() -> None:
    """Rows that lie on grids of their own, not on a common one, have a scale each."""
    stored = np.array([[127, -3], [127, 50]], np.float32)
    values, scales = found(stored * np.array([[0.01], [0.0137]], np.float32))
    assert (values == stored).all() and scales == pytest.approx((0.01, 0.0137))


def test_other_weights_are_no_int8() -> None:
    """Weights on no grid are told apart, also where it is a single row that lies on none."""
    weights = np.random.default_rng(0).normal(size=(4, 50)).astype(np.float32)
    assert weight_grid(weights) is None
    weights[1:] = np.rint(weights[1:] * 10)
    assert weight_grid(weights) is None and weight_grid(weights[1:]) is not None


def test_zeros() -> None:
    """A dead channel has a scale all the same."""
    values, scales = found(np.zeros((1, 3), np.float32))
    assert not values.any() and scales == (1.0,)
