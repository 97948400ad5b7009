"""What each part of the fan demonstration may see of the ceiling fan data.

A session is one recording of about ten minutes. It is cut in time: its first 60 % teach, the next 20 % choose (the threshold, learning
rates), the last 20 % test. Nothing is shuffled across these borders, so no test window lies between windows that taught.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lichen.data.band_powers import log_band_powers
from lichen.data.ceiling_fan import in_time, load_ceiling_fan

NORMAL = "fan_0_low_0_weight"
"""What the host knows: low speed, no weight."""

FIELD = "fan_0_med_0_weight"
"""What is normal in the field: medium speed, no weight."""

FAULT = "fan_0_med_1_weight"
"""What is not: medium speed with a weight. Its whole session tests how well it is told from normal; none of it is taught then."""

KINDS = {
    "fan_0_low_0_weight": "low speed",
    "fan_0_low_1_weight": "low speed, weight",
    "fan_0_med_1_weight": "medium speed, weight",
    "fan_0_high_1_weight": "high speed, weight",
}
"""What the classifier learns to tell, in the order in which it is taught: the normal condition, and the weight at each speed."""

FEATURES = 40

Floats = NDArray[np.float32]

_SHARES = (0.6, 0.2, 0.2)


@dataclass(frozen=True)
class Session:
    """Features (n, 40) of the parts of one session, in standard deviations of what teaches the host."""

    train: Floats
    validation: Floats
    test: Floats

    @property
    def all(self) -> Floats:
        """The session from beginning to end."""
        return np.concatenate([self.train, self.validation, self.test])


def load_sessions() -> Mapping[str, Session]:
    """The sessions by name: 13 logarithmic band powers of each axis and the total, each feature standardised by `NORMAL`'s first part."""
    features = {name: log_band_powers(windows) for name, windows in load_ceiling_fan().items()}
    known = in_time(features[NORMAL], _SHARES)[0]
    mean, deviation = known.mean(axis=0), known.std(axis=0)
    return {name: Session(*in_time((x - mean) / deviation, _SHARES)) for name, x in features.items()}
