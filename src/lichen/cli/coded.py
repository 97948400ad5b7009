"""What coding the weights gave, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lichen.cli.output import print_table

if TYPE_CHECKING:
    from lichen.coding.weights import CodedLayer


def print_coded(layers: Sequence[CodedLayer]) -> None:
    """A table of the layers whose weights are coded; nothing where there are none."""
    if not layers:
        return
    rows = [[layer.name, layer.form, layer.place.way.value, layer.bytes, layer.plain_bytes] for layer in layers]
    print_table("coded weights (bytes of flash)", ["layer", "form", "decoded", "coded", "plain"], rows)
