"""What is left of a second of vibration for a small network: the power in a few bands."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lichen.errors import InputError

FLOOR = 1e-10
"""The least power that counts, in g²; below it is no sensor's signal."""


def log_band_powers(windows: NDArray[np.float32], bands: int = 13) -> NDArray[np.float32]:
    """(n, samples, axes) in g -> (n, axes x bands + 1): decimal logarithms of powers in g², the last that of all axes and bands together.

    Of each axis the mean is taken off (the mean differs between sessions: how the sensor was taped on) and a Hann window laid over the rest;
    the periodogram without its constant is summed in `bands` equally wide bands up to half the sampling rate, so that the bands of an axis add up to its
    variance. Features 0 to `bands` - 1 are the first axis', from low frequencies to high ones. Raises `InputError` for windows that are too short for so many bands.
    """
    n, samples, axes = windows.shape
    lines = samples // 2
    if not 1 <= bands <= lines:
        raise InputError(
            f"a window of {samples} samples has {lines} frequencies, which cannot be put into {bands} bands"
        )
    taper = np.hanning(samples + 1)[:-1]
    moved = windows.astype(np.float64) - windows.mean(axis=1, keepdims=True, dtype=np.float64)
    spectrum = np.fft.rfft(moved * taper[:, None], axis=1)[:, 1:]
    power = 2 * np.abs(spectrum) ** 2 / (samples * np.sum(taper**2))
    if samples % 2 == 0:
        power[:, -1] /= 2  # the highest frequency has no mirror image
    first = np.round(np.linspace(0, lines, bands + 1)).astype(int)[:-1]
    of_bands = np.add.reduceat(power, first, axis=1).transpose(0, 2, 1).reshape(n, axes * bands)
    total = power.sum(axis=(1, 2))[:, None]
    features: NDArray[np.float32] = np.log10(np.maximum(np.concatenate([of_bands, total], axis=1), FLOOR)).astype(
        np.float32
    )
    return features
