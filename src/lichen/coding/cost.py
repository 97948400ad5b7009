"""What decoding costs in instructions, modelled: from counts on the emulated cores (`tests/test_coded_weights.py` holds them to it)."""

from __future__ import annotations

from lichen.ir.kernel import Core

_WORD = {"avr": 150, "v6m": 40, "": 24}
"""Instructions for a code word."""
_FUSED = {"avr": 156, "v6m": 46, "": 30}
"""The same with its share of the multiplications."""
_PRODUCT = {"avr": 5.0, "v6m": 6.0, "dsp": 1.4, "mve": 0.4, "": 4.0}
"""Instructions for a multiplication with a plain weight of a fully connected layer."""


def _of(costs: dict[str, float] | dict[str, int], core: Core) -> float:
    return next(cost for feature, cost in costs.items() if not feature or core.has(feature))


def instructions_decoding(symbols: int, core: Core) -> int:
    """Of decoding so many code words."""
    return round(symbols * _of(_WORD, core))


def fused_instructions(symbols: int, core: Core) -> int:
    """Of a fully connected layer that decodes as it multiplies."""
    return round(symbols * _of(_FUSED, core))


def plain_instructions(macs: int, core: Core) -> int:
    """Of one with plain weights, once they are decoded."""
    return round(macs * _of(_PRODUCT, core))
