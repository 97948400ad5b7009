"""The scales of `lichen_requantise_dsp.h`: multipliers in the form that SMMLAR and SMMLSR take."""

from __future__ import annotations

import numpy as np

from lichen.ir.module import Array

ANY_RATIO, BELOW_HALF, CLAMPED_AT_ZERO = range(3)
"""What is known of the ratios of all channels; the header's enumeration."""


def doubled(mantissa: int) -> int:
    """The member `doubled` of `lichen_scale_dsp`: twice the mantissa, modulo 2^32, as an int32."""
    return (2 * mantissa + 2**31) % 2**32 - 2**31


def subtracted_shift(shift: int) -> int:
    """The factor that SMMLSR subtracts a product with, which is a rounding shift by `-shift` >= 1 bits to the right."""
    return -(1 << (32 + shift))


def scales_dsp(mantissas: Array, shifts: Array, kind: int) -> tuple[Array, Array]:
    """The members of `lichen_scale_dsp`, int32 (channels,) each, of multipliers `mantissa * 2^(shift - 31)` whose ratios are of a `kind`."""
    first = np.array([doubled(int(m)) for m in mantissas], np.int32)
    to_the_right = -1 - shifts.astype(np.int32)
    return first, to_the_right if kind == ANY_RATIO else np.int32(-(2**31)) >> to_the_right


def needs(kind: int) -> frozenset[str]:
    """The parts of kernels that ratios of a `kind` need."""
    return frozenset({"any_ratio"} if kind == ANY_RATIO else ())


def ratios(mantissas: Array, shifts: Array, low: int, zero_point: int) -> int:
    """The member `ratios` of the params, for outputs clamped to `low` and more."""
    if (shifts >= 0).any() or (mantissas == 0).any():
        return ANY_RATIO
    return CLAMPED_AT_ZERO if low >= zero_point else BELOW_HALF
