"""Which int8 weights stand behind float ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LARGEST = 127
_ON_GRID = 1e-3  # steps; float32 keeps a multiple of the scale to within 1e-5 steps
_ON_COMMON_GRID = 2e-5  # no more than that, or the few weights of a small layer would lie on a common grid by chance


def weight_grid(channels: NDArray[np.float32]) -> tuple[NDArray[np.int8], tuple[float, ...]] | None:
    """int8 values (O, K) and scales, symmetric, for weights (O, K): one for all where they lie on a common grid, else one a row.

    Weights that are dequantised int8 values lie on a grid of equal steps, and it is found again: values and steps are those of
    the program they come from, up to a common factor (of a row, or of all). `None` where a row lies on no grid: the program has the layer in floating point.
    """
    weights = channels.astype(np.float64).ravel()
    if len(np.unique(np.abs(weights))) <= LARGEST + 1 and (common := _on_grid(weights, _ON_COMMON_GRID)) is not None:
        return common[0].reshape(channels.shape).astype(np.int8), (common[1],)
    stored, scales = np.zeros(channels.shape, np.int8), []
    for row, weights in enumerate(channels.astype(np.float64)):
        found = _on_grid(weights, _ON_GRID)
        if found is None:
            return None
        stored[row], scale = found
        scales.append(scale)
    return stored, tuple(scales)


def _on_grid(weights: NDArray[np.float64], tolerance: float) -> tuple[NDArray[np.float64], float] | None:
    """The values and the scale of the finest grid on which all weights lie, to within `tolerance` steps; `None` where there is none."""
    largest = float(np.abs(weights).max(initial=0.0))
    if largest == 0.0:
        return np.zeros_like(weights), 1.0
    for steps in range(LARGEST, 0, -1):
        exact = weights * (steps / largest)
        values = np.rint(exact)
        if np.abs(exact - values).max() <= tolerance:
            return values, float(np.float32((weights @ values) / (values @ values)))
    return None
