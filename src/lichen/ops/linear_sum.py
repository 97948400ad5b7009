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
_UNBOUNDED = 1 << 40
_NUDGE = 32  # moves the product with an operand by up to 16 units of the last place of a sum
_TRIALS = [
    *((0, _NUDGE * i, _NUDGE * j) for i in (0, -1, 1) for j in (0, -1, 1)),
    *((tilt, 0, 0) for tilt in (2, 4, 8, 16, 32)),
]
"""What factors are tried: how much larger, in units of the last place of a sum, so that ties go away from zero; and what is added to each."""


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
    for tilt, *nudges in _TRIALS:
        a, b = (round(r * (2.0**_FACTOR_BITS + 256 * tilt)) + n for r, n in zip(ratios, nudges, strict=True))
        products = (a * _STORED >> 8)[:, None] + (b * _STORED >> 8)
        lowest, highest = int((least - products).max()), int((most - products).min())
        if lowest <= highest:
            offset = min(max(round((origin + 0.5) * 2.0**_SUM_BITS), lowest), highest)
            numbers = (a, b, offset, int(products.min()) + offset, int(products.max()) + offset)
            return LinearSum((a, b), offset) if max(map(abs, numbers)) <= INT32_MAX else None
    return None
