"""The tables of `lichen_requantise_dsp.h`: multipliers in the form that SMMLAR and SMMLSR take."""

from __future__ import annotations

import numpy as np

from lichen.ir.kernel import Table
from lichen.ir.module import Array

ANY_RATIO, BELOW_HALF, CLAMPED_AT_ZERO = range(3)
"""What is known of the ratios of all channels; the header's enumeration."""


def scale_tables(mantissas: Array, shifts: Array) -> tuple[Table, Table]:
    """The tables `multiplier` and `shift` of multipliers `mantissa * 2^(shift - 31)`, each of shape (channels,)."""
    doubled = (mantissas.astype(np.int64) * 2).astype(np.uint32).view(np.int32)
    return Table("multiplier", doubled), Table("shift", (-1 - shifts.astype(np.int16)).astype(np.int8))


def scales_dsp(mantissas: Array, shifts: Array, kind: int) -> tuple[Array, Array]:
    """The members of `lichen_scale_dsp` (channels,) each, int32, for ratios of a `kind`."""
    multiplier, shift = scale_tables(mantissas, shifts)
    exponent = shift.data.astype(np.int32)
    return multiplier.data, exponent if kind == ANY_RATIO else np.int32(-(2**31)) >> exponent


def ratios(mantissas: Array, shifts: Array, low: int, zero_point: int) -> int:
    """The member `ratios` of the params, for outputs clamped to `low` and more."""
    if (shifts >= 0).any() or (mantissas == 0).any():
        return ANY_RATIO
    return CLAMPED_AT_ZERO if low >= zero_point else BELOW_HALF
