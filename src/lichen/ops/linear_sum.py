"""A quantised sum as one linear function, proven on all pairs of operands: what `lichen_add_linear_s8_dsp.h` and `…_mve.h` compute.

TensorFlow Lite Micro rounds an operand to the scale of the other, and the sum to that of the result. That differs from
`ratio_a * a + ratio_b * b + origin`, rounded once, by far less than a step of the result. With scales as training gives them no pair of
operands is near enough to a tie for that; where ratios are fractions of small numbers many pairs are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lichen.ops.fixed_point import INT32_MAX, Int64Array

_STORED = np.arange(-128, 128, dtype=np.int64)
_SUM_BITS = 20  # behind the point of the sum
_FACTOR_BITS = _SUM_BITS + 8  # of the factors: a product with an operand in the upper byte of 16 bits loses 16
_TILTS = (0, 2, 4, 8, 16, 32)  # in units of the last place of a sum, for factors that take ties away from zero
_UNBOUNDED = 1 << 40


@dataclass(frozen=True)
class LinearSum:
    """The result of stored operands is `(a * factors[0] >> 8) + (b * factors[1] >> 8) + offset >> 20`, limited."""

    factors: tuple[int, int]
    offset: int


def linear_sum(
    expected: Int64Array, ratios: tuple[float, float], origin: float, low: int, high: int
) -> LinearSum | None:
    """A function that is `expected` (256, 256), the results of all pairs of stored operands a, b, limited to `[low, high]`.

    `None` where there is none with factors next to the ratios, or where it would overflow 32 bits.
    """
    least = np.where(expected > low, expected << _SUM_BITS, -_UNBOUNDED)
    most = np.where(expected < high, ((expected + 1) << _SUM_BITS) - 1, _UNBOUNDED)
    for tilt in _TILTS:
        factors = _factor(ratios[0], tilt), _factor(ratios[1], tilt)
        products = _products(factors[0])[:, None] + _products(factors[1])
        lowest, highest = int((least - products).max()), int((most - products).min())
        if lowest <= highest:
            offset = min(max(round((origin + 0.5) * 2.0**_SUM_BITS), lowest), highest)
            numbers = (*factors, offset, int(products.min()) + offset, int(products.max()) + offset)
            return LinearSum(factors, offset) if max(map(abs, numbers)) <= INT32_MAX else None
    return None


def _factor(ratio: float, tilt: int) -> int:
    return round(ratio * (2.0**_FACTOR_BITS + 256 * tilt))


def _products(factor: int) -> Int64Array:
    """Of all stored values."""
    products: Int64Array = factor * _STORED >> 8
    return products
