"""What coding the weights gave, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lichen.cli.output import print_table

if TYPE_CHECKING:
    from lichen.coding.weights import CodedLayer


def coded_json(layers: Sequence[CodedLayer]) -> list[dict[str, Any]]:
    """As in the manifest."""
    return [layer.to_dict() for layer in layers]


def print_coded(layers: Sequence[CodedLayer]) -> None:
    """A table of the layers whose weights are coded; nothing where there are none."""
    if not layers:
        return
    columns = ["layer", "form", "decoded", "coded, bytes", "plain, bytes", "instructions"]
    rows = [[x.name, x.form, x.place.way.value, x.bytes, x.plain_bytes, x.instructions] for x in layers]
    print_table("coded weights; what decoding adds to an inference is modelled", columns, rows)
