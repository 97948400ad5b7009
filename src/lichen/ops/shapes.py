"""Type rules that operators share which move elements without changing them."""

from __future__ import annotations

from lichen.ir.module import Operation
from lichen.ir.operator import require
from lichen.ir.types import TensorType


def check_copied_type(x: TensorType, result: TensorType) -> None:
    """The stored values are copied, so element type and quantisation must stay. Raises `VerifyError`."""
    require(x.dtype is result.dtype, f"the result is of {result.dtype.value}, its input of {x.dtype.value}")
    for type_ in (x, result):
        q = type_.quantisation
        require(q is None or not q.is_per_channel, "a tensor quantised per channel cannot be moved about")
    require(
        x.quantisation == result.quantisation,
        "input and result are quantised differently, but their elements are copied as they are; requantise first",
    )


def axis_of(operation: Operation, rank: int) -> int:
    """The attribute `axis`, counted from the first. Raises `VerifyError` unless it is an axis of a tensor of that rank."""
    axis = operation.int_attribute("axis")
    require(0 <= axis < rank, f"axis {axis} does not exist in a tensor of {rank} dimensions")
    return axis
