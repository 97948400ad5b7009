"""The tables of `lichen_requantise_dsp.h`: multipliers in the form that SMMLAR and SMMLSR take."""

from __future__ import annotations

import numpy as np

from lichen.ir.kernel import Table
from lichen.ir.module import Array

ANY_RATIO, BELOW_HALF, CLAMPED_AT_ZERO = range(3)
"""What is known of the ratios of all channels; the header's enumeration."""


def scale_tables(mantissas: Array, shifts: Array) -> tuple[Table, Table]:
    """The tables `multiplier` and `shift` of multipliers `mantissa * 2^(shift - 31)`, each of shape (channels,)."""
    doubled_mantissas = np.array([doubled(int(m)) for m in mantissas], np.int32)
    return Table("multiplier", doubled_mantissas), Table("shift", (-1 - shifts.astype(np.int16)).astype(np.int8))


def doubled(mantissa: int) -> int:
    """The member `doubled` of `lichen_scale_dsp`: twice the mantissa, modulo 2^32, as an int32."""
    return (2 * mantissa + 2**31) % 2**32 - 2**31


def subtracted_shift(shift: int) -> int:
    """The factor that SMMLSR subtracts a product with, which is a rounding shift by `-shift` >= 1 bits to the right."""
    return -(1 << (32 + shift))


def scales_dsp(mantissas: Array, shifts: Array, kind: int) -> tuple[Array, Array]:
    """The members of `lichen_scale_dsp` (channels,) each, int32, for ratios of a `kind`."""
    multiplier, shift = scale_tables(mantissas, shifts)
    exponent = shift.data.astype(np.int32)
    return multiplier.data, exponent if kind == ANY_RATIO else np.int32(-(2**31)) >> exponent


def needs(kind: int) -> frozenset[str]:
    """The parts of kernels that ratios of a `kind` need."""
    return frozenset({"any_ratio"} if kind == ANY_RATIO else ())


def ratios(mantissas: Array, shifts: Array, low: int, zero_point: int) -> int:
    """The member `ratios` of the params, for outputs clamped to `low` and more."""
    if (shifts >= 0).any() or (mantissas == 0).any():
        return ANY_RATIO
    return CLAMPED_AT_ZERO if low >= zero_point else BELOW_HALF
