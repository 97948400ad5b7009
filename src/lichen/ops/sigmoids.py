"""What int8 logistic and tanh share: the input as a Q4 number, and saturation where it does not fit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lichen.ir.operator import require
from lichen.ir.types import TensorType
from lichen.ops.fixed_point import INT8_MAX, INT8_MIN, Int64Array, multiply, quantize_multiplier, rounding_divide_by_pot
from lichen.ops.gemmlowp import input_radius

_INTEGER_BITS = 4


def saturating_map(
    x: TensorType, stored: Int64Array, function: Callable[[Int64Array, int], Int64Array], bits: int, zero_point: int
) -> Int64Array:
    """`function(x)` in Q0, rounded to `bits` fractional bits, plus the zero point.

    Raises `VerifyError` for a scale that is out of range.
    """
    require(
        2.0**-27 <= x.scale <= 2.0**27, f"the input scale {x.scale:g} is out of the range of fixed-point arithmetic"
    )
    value = stored - x.zero_point
    real = x.scale * 2.0 ** (31 - _INTEGER_BITS)
    if real >= 2.0**30:
        radius, function_of_x = 0, np.zeros_like(value)
    else:
        multiplier = quantize_multiplier(real)
        radius = input_radius(_INTEGER_BITS, multiplier.shift)
        inside = np.clip(value, 1 - radius, radius - 1) if radius > 0 else np.zeros_like(value)
        function_of_x = function(multiply(inside, multiplier.mantissa, multiplier.shift), _INTEGER_BITS)
    result = np.clip(rounding_divide_by_pot(function_of_x, 31 - bits) + zero_point, INT8_MIN, INT8_MAX)
    return np.where(value <= -radius, INT8_MIN, np.where(value >= radius, INT8_MAX, result))
