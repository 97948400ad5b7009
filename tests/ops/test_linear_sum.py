"""Sums as one linear function: what it promises, and that the search finds it for scales as training gives them."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.ir.operator import operator
from lichen.ops.fixed_point import Int64Array
from lichen.ops.linear_sum import LinearSum, linear_sum
from native_check import DSP
from ops_oracle import i8, one_op

STORED = np.arange(-128, 128, dtype=np.int64)
RATIOS = st.floats(-3, 3)


def rounded(ratios: tuple[float, float], origin: float) -> Int64Array:
    """The results of all pairs in real numbers, halves away from zero."""
    real = ratios[0] * STORED[:, None] + ratios[1] * STORED + origin
    return (np.sign(real) * np.floor(np.abs(real) + 0.5)).astype(np.int64)


def computed(found: LinearSum) -> Int64Array:
    """What the kernel does with all pairs."""
    a, b = (factor * STORED >> 8 for factor in found.factors)
    return a[:, None] + b + found.offset >> 20


@settings(max_examples=60, deadline=None)
@given(RATIOS, RATIOS, st.floats(-200, 200), st.integers(-128, 0), st.integers(1, 127), st.integers(0, 2**32 - 1))
def test_what_is_found_is_right_for_all_pairs(
    a: float, b: float, origin: float, low: int, high: int, seed: int
) -> None:
    """Whether expected results are as they should be, or some of them a step away."""
    rng = np.random.default_rng(seed)
    for mistakes in (0, 3):
        expected = rounded((a, b), origin)
        expected.flat[rng.integers(0, expected.size, mistakes)] += 1
        expected = np.clip(expected, low, high)
        found = linear_sum(expected, (a, b), origin, low, high)
        if found is not None:
            np.testing.assert_array_equal(np.clip(computed(found), low, high), expected)


def test_ties_away_from_zero_are_found() -> None:
    """Halves of sums, which tie for every second pair, on both sides of zero."""
    expected = np.clip(rounded((0.5, 0.5), 0.0), -128, 127)
    assert linear_sum(expected, (0.5, 0.5), 0.0, -128, 127) is not None


def test_what_is_not_linear_is_not_found() -> None:
    """One result in the middle that is a step away."""
    expected = rounded((0.37, 0.41), 3.0)
    expected[128, 128] += 1
    assert linear_sum(np.clip(expected, -128, 127), (0.37, 0.41), 3.0, -128, 127) is None


def test_sums_beyond_32_bits_are_refused() -> None:
    """2048 results are all that 20 bits behind the point leave room for."""
    ratios = (9.0, 0.1)
    assert linear_sum(np.clip(rounded(ratios, 0.0), -128, 127), ratios, 0.0, -128, 127) is None


def test_scales_as_training_gives_them_are_linear() -> None:
    """Scales with all 24 bits of a float, results as wide as operands or wider: 200 layers get the fast kernel, whatever their zero points."""
    rng = np.random.default_rng(0)
    kernels = []
    for _ in range(200):
        a, b = rng.uniform(0.01, 0.1), rng.uniform(0.01, 0.1)
        zeros = rng.integers(-128, 128, 3).tolist()
        scales = a, b, max(a, b) * rng.uniform(0.7, 2)
        x, y, result = (i8(1, 4, scale=scale, zero=zero) for scale, zero in zip(scales, zeros, strict=True))
        module = one_op("add", [x, y], [result], {"activation": "none"})
        kernels.append(operator("add").lower(module.infer.operations[0], DSP).kernel)
    assert set(kernels) == {"add_linear_s8_dsp"}
