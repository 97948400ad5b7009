"""Arguments and parameters of kernel calls: what may be passed, checked before it is emitted."""

from __future__ import annotations

import math

import numpy as np

from lichen.errors import UnsupportedError
from lichen.ir.kernel import Operand, Table
from lichen.ir.module import Array, Constant, Operation

_INT16_MAX, _INT32_MAX = 2**15 - 1, 2**31 - 1


def int16_params(operation: Operation, **values: int) -> dict[str, int | float]:
    """Members of type int16_t. Raises `UnsupportedError` for a value that does not fit."""
    return _fitting(operation, values, _INT16_MAX)


def int32_params(operation: Operation, **values: int) -> dict[str, int | float]:
    """Members of type int32_t. Raises `UnsupportedError` for a value that does not fit."""
    return _fitting(operation, values, _INT32_MAX)


def row_lengths(operation: Operation) -> dict[str, int | float]:
    """Elements from one row to the next of the first operand and of the first result, as long as all columns are there."""
    source, result = operation.operands[0].type.shape, operation.results[0].type.shape
    return int32_params(operation, in_length=math.prod(source[-2:]), out_length=math.prod(result[-2:]))


def in_arena(operation: Operation, index: int) -> Operand:
    """The address of an operand that its kernel reads from RAM. Raises `UnsupportedError` for a constant."""
    if isinstance(operation.operands[index], Constant):
        raise UnsupportedError(
            f"{operation.kind} '{operation.name}' has a constant input; run the pass fold_constants before compiling"
        )
    return Operand(index)


def anywhere(operation: Operation, index: int, role: str) -> Operand | Table:
    """The address of an operand that its kernel reads from RAM or flash, as `in_flash` says."""
    value = operation.operands[index]
    return Table(role, value.data) if isinstance(value, Constant) else Operand(index)


def bytes_anywhere(operation: Operation, index: int, role: str) -> Operand | Table:
    """The same for a kernel that copies elements of any type."""
    value = operation.operands[index]
    return Table(role, as_bytes(value.data)) if isinstance(value, Constant) else Operand(index)


def in_flash(operation: Operation, index: int) -> int:
    """1 if the kernel must read the operand by `lichen_flash_*`, else 0."""
    return int(isinstance(operation.operands[index], Constant))


def as_bytes(data: Array) -> Array:
    """The little-endian bytes of an array, as int8."""
    little = np.ascontiguousarray(data).astype(data.dtype.newbyteorder("<"), copy=False)
    return little.reshape(-1).view(np.int8)


def _fitting(operation: Operation, values: dict[str, int], most: int) -> dict[str, int | float]:
    for name, value in values.items():
        if not -most - 1 <= value <= most:
            raise UnsupportedError(
                f"{operation.kind} '{operation.name}': {name} is {value}, but a kernel takes at most {most}"
            )
    return dict(values)
