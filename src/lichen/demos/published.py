"""Published figures of learning on microcontrollers, to stand beside ours."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """What an inference costs, and what an inference with one learning step does, in `unit`."""

    what: str
    source: str
    infer: float
    learn: float
    unit: str

    @property
    def more(self) -> float:
        """What learning adds, as a share of the inference."""
        return self.learn / self.infer - 1

    def __str__(self) -> str:
        figures = f"{self.infer:,g} {self.unit} to infer, {self.learn:,g} to infer and learn (+{100 * self.more:.1f} %)"
        return f"{self.what}: {figures}; {self.source}"


TINYOL = Published(
    "TinyOL, one online layer on an autoencoder, Nano 33 BLE at 64 MHz",
    "measured, arXiv 2103.08295",
    *(1748, 1921, "µs"),
)

TINY_TRAINING = Published(
    "tiny-training, sparse update of its 49 kB configuration, 252,064 bytes of RAM",
    "emulated, arXiv 2206.15472",
    *(65.3, 124.8, "million instructions"),
)
