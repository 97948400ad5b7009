"""Fixed-point arithmetic of the LiteRT 8-bit specification; the NumPy twin of `lichen_fixed_point.h`.

The definitions are those of gemmlowp as TensorFlow Lite Micro uses them: double rounding, saturating only at -2^31 * -2^31.
All functions are vectorised, take and return int64 arrays that hold int32 values.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lichen.errors import VerifyError
from lichen.ir.module import Array
from lichen.ir.operator import require
from lichen.ir.types import TensorType

Int64Array = NDArray[np.int64]

INT32_MAX = 2**31 - 1
INT32_MIN = -(2**31)
INT8_MIN, INT8_MAX = -128, 127


@dataclass(frozen=True)
class Multiplier:
    """A positive real number as `mantissa * 2^(shift - 31)`; `shift` positive is to the left."""

    mantissa: int
    shift: int


def quantize_multiplier(real: float) -> Multiplier:
    """The nearest multiplier with a 31-bit mantissa; 0 below 2^-32. Raises `VerifyError` above 2^30."""
    if not math.isfinite(real):
        raise VerifyError("the ratio of scales is not a finite number")
    if real == 0.0:
        return Multiplier(0, 0)
    fraction, shift = math.frexp(real)
    mantissa = math.floor(fraction * 2.0**31 + 0.5)  # std::round of a positive number: halves go up
    if mantissa == 2**31:
        mantissa, shift = mantissa // 2, shift + 1
    if shift < -31:
        return Multiplier(0, 0)
    if shift > 30:
        raise VerifyError(f"the ratio of scales {real:g} is too large for fixed-point arithmetic")
    return Multiplier(mantissa, shift)


def saturating_rounding_doubling_high_mul(a: ArrayLike, b: ArrayLike) -> Int64Array:
    """`round(a * b / 2^31)`, halves upwards: what gemmlowp's nudge and truncating division come to."""
    product: Int64Array = np.asarray(a, np.int64) * np.asarray(b, np.int64)
    product += 1 << 30
    product >>= 31
    return np.minimum(product, INT32_MAX)


def rounding_divide_by_pot(x: ArrayLike, exponent: ArrayLike) -> Int64Array:
    """`round(x / 2^exponent)`, halves away from zero."""
    value, bits = np.asarray(x, np.int64), np.asarray(exponent, np.int64)
    half = (np.int64(1) << bits) >> 1
    # The shift rounds down, so what is negative gets one less than a half, and nothing where nothing is divided.
    rounded: Int64Array = (value >> 63) & -(bits > 0).astype(np.int64)
    rounded += value
    rounded += half
    rounded >>= bits
    return rounded


def wrap_int32(x: ArrayLike) -> Int64Array:
    """`x` modulo 2^32 into the range of int32, as the hardware leaves it."""
    return np.asarray(x, np.int64).astype(np.int32).astype(np.int64)


def multiply(x: ArrayLike, mantissa: ArrayLike, shift: ArrayLike) -> Int64Array:
    """`MultiplyByQuantizedMultiplier`: shift left, high multiplication, rounding shift right. Vectorised over all arguments."""
    amount = np.asarray(shift, np.int64)
    left, right = np.maximum(amount, 0), np.maximum(-amount, 0)
    shifted = wrap_int32(np.asarray(x, np.int64) << left) if left.any() else x
    return rounding_divide_by_pot(saturating_rounding_doubling_high_mul(shifted, mantissa), right)


def to_int8(x: Int64Array, low: int = INT8_MIN, high: int = INT8_MAX) -> NDArray[np.int8]:
    """Clamps to `[low, high]` and narrows."""
    return np.clip(x, low, high).astype(np.int8)


ACTIVATIONS: dict[str, tuple[float, float]] = {
    "none": (-math.inf, math.inf),
    "relu": (0.0, math.inf),
    "relu6": (0.0, 6.0),
    "relu_n1_to_1": (-1.0, 1.0),
}
"""Fused activations as the range they clamp to."""


def activation_range(activation: str, output: TensorType) -> tuple[int, int]:
    """The int8 values that a fused activation clamps to.

    Real limits are quantised in float32 with halves away from zero, as TensorFlow Lite Micro does.
    """
    require(activation in ACTIVATIONS, f"activation '{activation}' is not one of {', '.join(ACTIVATIONS)}")
    low, high = ACTIVATIONS[activation]
    lowest, highest = output.dtype.range

    def quantise(real: float) -> int:
        with np.errstate(all="ignore"):
            ratio = float(np.float32(real) / np.float32(output.scale))
        require(abs(ratio) <= INT32_MAX, f"the scale {output.scale:g} is too small for activation '{activation}'")
        return output.zero_point + int(math.copysign(math.floor(abs(ratio) + 0.5), ratio))

    return (
        lowest if math.isinf(low) else min(max(lowest, quantise(low)), highest),
        highest if math.isinf(high) else max(min(highest, quantise(high)), lowest),
    )


def clamp_float(x: Array, activation: str) -> NDArray[np.float32]:
    """A fused activation on float32 values."""
    low, high = ACTIVATIONS[activation]
    result: NDArray[Any] = np.clip(x, np.float32(low), np.float32(high))
    return result.astype(np.float32)
