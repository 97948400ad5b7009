"""Transcendental functions in fixed point, as gemmlowp defines them; the values of the int8 softmax, logistic and tanh.

A `Qm` number is an int32 with `m` integer bits and `31 - m` fractional ones. Functions take and return int64 arrays that hold
int32 values. Source: `fixedpoint/fixedpoint.h` of google/gemmlowp.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from lichen.ops.fixed_point import (
    INT32_MAX,
    INT32_MIN,
    Int64Array,
    rounding_divide_by_pot,
    saturating_rounding_doubling_high_mul,
)

_EXP_MINUS_EIGHTH = 1895147668  # exp(-1/8) in Q0
_THIRD = 715827883  # 1/3 in Q0
_48_OVER_17 = 1515870810  # in Q2
_MINUS_32_OVER_17 = -1010580540  # in Q2
_ONE_Q2 = 1 << 29
_EXP_OF_MINUS_POWER = {  # exponent k -> exp(-2^k) in Q0
    -2: 1672461947,
    -1: 1302514674,
    0: 790015084,
    1: 290630308,
    2: 39332535,
    3: 720401,
    4: 242,
}


def exp_on_negative_values(x: ArrayLike, integer_bits: int) -> Int64Array:
    """`exp(x)` in Q0 of `x <= 0` in `Q<integer_bits>`, with at most five integer bits."""
    value = np.asarray(x, np.int64)
    fractional_bits = 31 - integer_bits
    quarter = 1 << (fractional_bits - 2)
    remainder_of_quarter = (value & (quarter - 1)) - quarter
    result = _exp_near_zero(remainder_of_quarter << integer_bits)
    rest = remainder_of_quarter - value
    for exponent, factor in _EXP_OF_MINUS_POWER.items():
        if exponent < integer_bits:
            has_bit = (rest >> (fractional_bits + exponent)) & 1 == 1
            result = np.where(has_bit, saturating_rounding_doubling_high_mul(result, factor), result)
    return np.where(value == 0, INT32_MAX, result)


def one_over_one_plus(x: ArrayLike) -> Int64Array:
    """`1 / (1 + x)` in Q0 of `0 <= x <= 1` in Q0."""
    return _saturate(_newton_quotient(x) << 1)


def logistic(x: ArrayLike, integer_bits: int) -> Int64Array:
    """`1 / (1 + exp(-x))` in Q0 of `x` in `Q<integer_bits>`."""
    value = np.asarray(x, np.int64)
    positive = one_over_one_plus(exp_on_negative_values(-np.abs(value), integer_bits))
    return np.where(value == 0, 1 << 30, np.where(value > 0, positive, INT32_MAX - positive))


def tanh(x: ArrayLike, integer_bits: int) -> Int64Array:
    """`tanh(x)` in Q0 of `x` in `Q<integer_bits>`, with at most four integer bits."""
    value = np.asarray(x, np.int64)
    # exp(-2|x|): the same bits read with one more integer bit.
    quotient = _newton_quotient(exp_on_negative_values(-np.abs(value), integer_bits + 1))
    magnitude = _saturate((quotient - _ONE_Q2) << 2)
    return np.where(value == 0, 0, np.where(value < 0, -magnitude, magnitude))


def input_radius(integer_bits: int, left_shift: int) -> int:
    """The largest difference whose rescaled value still fits `Q<integer_bits>`; both are the multiplier's."""
    return math.floor(((1 << integer_bits) - 1) * 2.0 ** (31 - integer_bits - left_shift))


def _exp_near_zero(x: Int64Array) -> Int64Array:
    """`exp(x)` in Q0 of `-1/4 <= x < 0` in Q0: a Taylor polynomial around -1/8."""
    mul = saturating_rounding_doubling_high_mul
    t = x + (1 << 28)
    t2 = mul(t, t)
    t3, t4 = mul(t2, t), mul(t2, t2)
    higher = rounding_divide_by_pot(mul(rounding_divide_by_pot(t4, 2) + t3, _THIRD) + t2, 1)
    result: Int64Array = _EXP_MINUS_EIGHTH + mul(_EXP_MINUS_EIGHTH, t + higher)
    return result


def _newton_quotient(x: ArrayLike) -> Int64Array:
    """`2 / (1 + x)` in Q2 of `0 <= x <= 1` in Q0, by three Newton-Raphson steps."""
    mul = saturating_rounding_doubling_high_mul
    half_denominator = (np.asarray(x, np.int64) + INT32_MAX + 1) >> 1
    y = _48_OVER_17 + mul(half_denominator, _MINUS_32_OVER_17)
    for _ in range(3):
        error = _ONE_Q2 - mul(half_denominator, y)
        y = y + _saturate(mul(y, error) << 2)
    return y


def _saturate(x: Int64Array) -> Int64Array:
    result: Int64Array = np.clip(x, INT32_MIN, INT32_MAX)
    return result
