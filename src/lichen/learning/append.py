"""Adding operations, and the state they keep, to a function."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np

from lichen.ir.module import Array, Attribute, Function, Namer, Operation, State, Value
from lichen.ir.types import DType, TensorType


def compute(
    function: Function, kind: str, operands: Sequence[Value], results: Mapping[str, TensorType], **attributes: Attribute
) -> list[Value]:
    """The results of a new last operation, called as given or, where a name is taken, with a number behind it."""
    local = Namer(v.name for v in function.values())
    values = [Value(local(name), type_) for name, type_ in results.items()]
    function.operations.append(Operation(kind, list(operands), values, attributes))
    return values


def state(name: str, initial: Array) -> State:
    """State of the type of its initial value."""
    return State(name, TensorType(initial.shape, DType.of(initial.dtype)), np.ascontiguousarray(initial))


@contextmanager
def before(function: Function, operation: Operation) -> Iterator[None]:
    """What is added to the function in the meantime comes to stand before one of its operations."""
    end = len(function.operations)
    yield
    added = function.operations[end:]
    del function.operations[end:]
    position = function.operations.index(operation)
    function.operations[position:position] = added
