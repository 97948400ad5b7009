"""The fixed-point arithmetic: NumPy against exact fractions, C against NumPy."""

from __future__ import annotations

import math
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.backend.emit import KERNELS
from lichen.errors import VerifyError
from lichen.ops.fixed_point import (
    ACTIVATIONS,
    INT32_MAX,
    INT32_MIN,
    activation_range,
    multiply,
    quantize_multiplier,
    rounding_divide_by_pot,
    saturating_rounding_doubling_high_mul,
)
from native_check import SANITIZERS, WARNINGS
from ops_oracle import i8

int32s = st.integers(INT32_MIN, INT32_MAX)
mantissas = st.one_of(st.integers(2**30, INT32_MAX), st.integers(0, INT32_MAX))


@given(int32s, mantissas)
def test_high_mul_rounds_halves_up(a: int, b: int) -> None:
    """`a * b / 2^31` to the nearest integer."""
    expected = math.floor(Fraction(a * b, 2**31) + Fraction(1, 2))
    assert saturating_rounding_doubling_high_mul(a, b) == expected


def test_high_mul_saturates_at_its_only_overflow() -> None:
    """-2^31 times itself is the one product that does not fit."""
    assert saturating_rounding_doubling_high_mul(INT32_MIN, INT32_MIN) == INT32_MAX


@given(int32s, st.integers(0, 31))
def test_division_rounds_halves_away_from_zero(x: int, exponent: int) -> None:
    """`x / 2^exponent` to the nearest integer."""
    magnitude = math.floor(Fraction(abs(x), 2**exponent) + Fraction(1, 2))
    assert rounding_divide_by_pot(x, exponent) == (magnitude if x >= 0 else -magnitude)


@given(st.floats(2.0**-31, 2.0**29))
def test_multipliers_are_near_the_real_number(real: float) -> None:
    """A 31-bit mantissa with its highest bit set, off by at most half a unit of it."""
    multiplier = quantize_multiplier(real)
    assert 2**30 <= multiplier.mantissa <= INT32_MAX
    assert abs(Fraction(multiplier.mantissa) * Fraction(2) ** (multiplier.shift - 31) / Fraction(real) - 1) <= 2.0**-30


@pytest.mark.parametrize("real", [math.inf, math.nan, 2.0**31])
def test_ratios_beyond_reach_are_refused(real: float) -> None:
    """Scales of a damaged file end in a sentence."""
    with pytest.raises(VerifyError, match="ratio of scales"):
        quantize_multiplier(real)


def test_ratios_too_small_to_matter_become_zero() -> None:
    """Below 2^-32 nothing is left of a 32-bit sum; a mantissa that rounds up to 2^31 moves into the shift."""
    assert quantize_multiplier(2.0**-40).mantissa == 0
    assert quantize_multiplier(0.0).mantissa == 0
    assert quantize_multiplier(1.0 - 2.0**-40) == quantize_multiplier(1.0)


def test_activations_clamp_to_stored_values() -> None:
    """Limits are quantised; infinite ones are those of int8."""
    assert {a: activation_range(a, i8(1, scale=0.1, zero=-100)) for a in ACTIVATIONS} == {
        "none": (-128, 127),
        "relu": (-100, 127),
        "relu6": (-100, -40),
        "relu_n1_to_1": (-110, -90),
    }


CHECK = """
#include <stdio.h>
#include "lichen_fixed_point.h"
int main(void)
{
    int32_t row[3];
    while (fread(row, sizeof row, 1, stdin) == 1) {
        const int32_t wide = lichen_high_mul_wide(row[0], row[1]), halves = lichen_high_mul_halves(row[0], row[1]);
        const int32_t bytes = lichen_high_mul_bytes(row[0], row[1]);
        const int32_t divided = lichen_divide_by_pot(row[0], row[2] < 0 ? -row[2] : 0);
        const int32_t results[5] = {wide, halves, bytes, divided, lichen_requantise(row[0], row[1], row[2])};
        fwrite(results, sizeof results, 1, stdout);
    }
    return 0;
}
"""


def test_c_equals_numpy(tmp_path: Path) -> None:
    """Random and extreme numbers; the multiplications for small cores give the bits of the wide one."""
    rng = np.random.default_rng(3)
    extremes = np.array(
        [INT32_MIN, INT32_MIN + 1, -65537, -65536, -32768, -1, 0, 1, 32767, 32768, 65535, 65536, INT32_MAX]
    )
    x = np.concatenate(
        [rng.integers(INT32_MIN, INT32_MAX, 20000), np.repeat(extremes, 8), rng.integers(-999, 999, 5000)]
    )
    mantissa = rng.integers(2**30, INT32_MAX, len(x))
    mantissa[::7] = rng.choice([0, 1, 2**15, 2**16 - 1, 2**16, 2**30, INT32_MAX], len(mantissa[::7]))
    shift = rng.integers(-31, 31, len(x))
    (tmp_path / "check.c").write_text(CHECK)
    build = [
        "gcc",
        "-O1",
        *WARNINGS,
        *SANITIZERS,
        f"-I{KERNELS}",
        "-o",
        str(tmp_path / "check"),
        str(tmp_path / "check.c"),
    ]
    subprocess.run(build, check=True)
    rows = np.stack([x, mantissa, shift], axis=1).astype(np.int32)
    done = subprocess.run([tmp_path / "check"], input=rows.tobytes(), capture_output=True, check=True)
    wide, halves, of_bytes, divided, requantised = np.frombuffer(done.stdout, np.int32).reshape(-1, 5).T
    high = saturating_rounding_doubling_high_mul(x, mantissa)
    np.testing.assert_array_equal(wide, high)
    np.testing.assert_array_equal(halves, high)
    np.testing.assert_array_equal(of_bytes, high)
    np.testing.assert_array_equal(divided, rounding_divide_by_pot(x, np.maximum(-shift, 0)))
    np.testing.assert_array_equal(requantised, multiply(x, mantissa, shift))
