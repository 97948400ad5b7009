"""Which int8 weights stand behind float ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LARGEST = 127
_ON_GRID = 1e-3  # steps; float32 keeps a multiple of the scale to within 1e-5 steps


def weight_grid(channels: NDArray[np.float32]) -> tuple[NDArray[np.int8], tuple[float, ...]]:
    """int8 values (O, K) and one scale a row, symmetric, for weights (O, K).

    Weights that are dequantised int8 values lie on a grid of equal steps, and it is found again: values and steps are those of
    the program they come from, up to a common factor of a row. Others are rounded to the grid that has 127 steps on each side.
    """
    stored, scales = np.zeros(channels.shape, np.int8), []
    for row, weights in enumerate(channels.astype(np.float64)):
        values, scale = _row(weights)
        stored[row] = values
        scales.append(scale)
    return stored, tuple(scales)


def _row(weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    largest = float(np.abs(weights).max(initial=0.0))
    if largest == 0.0:
        return np.zeros_like(weights), 1.0
    for steps in range(LARGEST, 0, -1):
        exact = weights * (steps / largest)
        values = np.rint(exact)
        if np.abs(exact - values).max() <= _ON_GRID:
            return values, float(np.float32((weights @ values) / (values @ values)))
    scale = float(np.float32(largest / LARGEST))
    return np.clip(np.rint(weights / scale), -LARGEST, LARGEST), scale
