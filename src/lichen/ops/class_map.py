"""The class map: which label each neuron of a head stands for, in a head that has room for classes to come.

It is a state (capacity,) of int32: the labels in the order in which they were learned, then -1 for each neuron that is still free.
"""

from __future__ import annotations

from lichen.ir.module import Operation, Value
from lichen.ir.operator import require
from lichen.ir.types import DType
from lichen.ops.params import int16_params
from lichen.ops.unquantised import check_plain

NONE = -1
"""No label, no neuron: a neuron that is free, a class map that is full, nothing to predict."""

NO_LABEL = -2
"""What stands for the neuron of a number below 0, which is no label: the sample has none."""

NO_SCORE = -1e30
"""The score of a class that does not exist yet; softmax makes it 0."""


def check_class_map(labels: Value) -> int:
    """The capacity of a class map. Raises `VerifyError` unless it is one."""
    check_plain(labels, "class map", DType.INT32)
    require(labels.type.rank == 1, f"the class map must have one axis, not {labels.type.rank}")
    return labels.type.elements


def capacity_params(operation: Operation, index: int) -> dict[str, int | float]:
    """The member `capacity`, that of the class map at operand `index`."""
    return int16_params(operation, capacity=operation.operands[index].type.elements)
