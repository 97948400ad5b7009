"""Band powers: units, bands, and what they do not depend on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.data.band_powers import FLOOR, log_band_powers
from lichen.errors import InputError

TIME = np.arange(200) / 200  # s


def wave(frequency: float, amplitude: float, axis: int = 0) -> np.ndarray:
    """One window (1, 200, 3) of a sine in Hz and g along one axis."""
    window = np.zeros((1, 200, 3), np.float32)
    window[0, :, axis] = amplitude * np.sin(2 * np.pi * frequency * TIME)
    return window


@pytest.mark.parametrize(("frequency", "axis", "band"), [(4, 0, 0), (12, 1, 1), (96, 2, 12), (50, 0, 6)])
def test_a_sine_is_in_its_band(frequency: int, axis: int, band: int) -> None:
    """With the power of a sine, half its amplitude squared, there and in the total, and next to nothing elsewhere."""
    features = log_band_powers(wave(frequency, 0.2, axis))[0]
    assert features.shape == (40,) and features.dtype == np.float32
    power = 10.0 ** features.astype(np.float64)
    assert power[13 * axis + band] == pytest.approx(0.2**2 / 2, rel=0.01)
    assert power[39] == pytest.approx(0.2**2 / 2, rel=0.01)
    assert np.delete(power, [13 * axis + band, 39]).max() < 0.02 * 0.2**2


@given(st.integers(0, 2**32 - 1), st.integers(1, 20), st.integers(40, 61))
def test_bands_add_up_to_the_variance(seed: int, bands: int, samples: int) -> None:
    """Of noise, on average over windows, for even and odd lengths; the last feature is the sum of the others."""
    windows = np.random.default_rng(seed).normal(0, 0.3, (400, samples, 2)).astype(np.float32)
    power = 10.0 ** log_band_powers(windows, bands).astype(np.float64)
    assert power.shape == (400, 2 * bands + 1)
    np.testing.assert_allclose(power[:, :-1].sum(axis=1), power[:, -1], rtol=1e-5)
    assert power[:, -1].mean() == pytest.approx(windows.var(axis=1).sum(axis=1).mean(), rel=0.05)


def test_gravity_and_scale() -> None:
    """What is constant does not matter, ten times the amplitude is two more of every feature, and silence is the floor."""
    noise = np.random.default_rng(0).normal(0, 0.01, (5, 200, 3)).astype(np.float32)
    features = log_band_powers(noise)
    np.testing.assert_allclose(log_band_powers(noise + np.float32(0.5)), features, atol=1e-2)
    np.testing.assert_allclose(log_band_powers(noise * np.float32(10)), features + 2, atol=1e-4)
    np.testing.assert_allclose(log_band_powers(np.ones((1, 200, 3), np.float32)), np.log10(FLOOR))


@pytest.mark.parametrize("bands", [0, 101])
def test_bands_that_cannot_be(bands: int) -> None:
    """More bands than frequencies, or none, are refused."""
    with pytest.raises(InputError, match="100 frequencies"):
        log_band_powers(wave(4, 1), bands)
