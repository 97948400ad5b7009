"""What decoding costs in instructions, modelled: a mean for each code word, counted on the emulated cores."""

from __future__ import annotations

from collections.abc import Mapping

from lichen.ir.kernel import Core

_DECODED: Mapping[str, Mapping[str, float]] = {
    "dense": {"avr": 95, "v6m": 35, "mve": 28, "": 31},
    "sparse": {"avr": 80, "v6m": 43, "mve": 34, "": 44},
}
"""Instructions for a code word that becomes a weight in memory, in each form; gaps are words, too."""
_FUSED: Mapping[str, Mapping[str, float]] = {
    "dense": {"avr": 94, "v6m": 44, "": 27},
    "sparse": {"avr": 77, "v6m": 38, "": 29},
}
"""The same for one that is multiplied."""
_PRODUCT: Mapping[str, float] = {"v6m": 3.9, "mve": 0.2, "dsp": 1.25, "": 4}
"""Instructions for a multiplication of a fully connected layer with weights in memory."""


def instructions_decoding(symbols: int, form: str, core: Core) -> int:
    """Of decoding so many code words into memory; `form` is `dense` or `sparse`."""
    return round(symbols * _of(_DECODED[form], core))


def instructions_fused(symbols: int, form: str, core: Core) -> int:
    """Of a fully connected layer that decodes as it multiplies."""
    return round(symbols * _of(_FUSED[form], core))


def instructions_multiplying(macs: int, core: Core) -> int:
    """Of one whose weights are decoded already."""
    return round(macs * _of(_PRODUCT, core))


def _of(costs: Mapping[str, float], core: Core) -> float:
    return next(cost for feature, cost in costs.items() if not feature or core.has(feature))
