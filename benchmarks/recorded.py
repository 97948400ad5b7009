"""Figures that were recorded once, of peers that no package brings; the same compiler, emulator and input as those of `make bench`.

TensorFlow Lite Micro (August 2026) with CMSIS-NN: its fastest build (kernels -O2, core -Os), and the instructions of its smallest (-Os).
TinyEngine: layer by layer with in-place depthwise, on its own network mcunet-vww1.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Recorded:
    """Bytes and instructions of one inference; `flash` is of code and model file. `None` where it was not recorded."""

    build: str
    arena: int
    code: int | None
    flash: int
    instructions: int
    smallest_instructions: int | None = None
    outputs: tuple[int, ...] | None = None


BOARD = "mps2-an386"

RECORDED = {
    "resnet8_int8": Recorded(
        "TFLM, CMSIS-NN (recorded)",
        54_996,
        51_632,
        150_128,
        28_378_280,
        41_100_000,
        (-128, -128, -51, -128, -128, -128, -101, -128, 24, -128),
    ),
    "vww_96_int8": Recorded("TFLM, CMSIS-NN (recorded)", 100_708, 54_308, 387_596, 22_579_000, 28_600_000, (121, -121)),
    "mcunet_vww1": Recorded("TinyEngine (recorded)", 93_992, None, 510_120, 34_760_000),
}
"""By model, all on the Cortex-M4 of `BOARD`."""
