"""Concatenation along one axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lichen.ir.accesses import Accesses
from lichen.ir.gradient import Backward
from lichen.ir.kernel import Core, KernelCall, Result
from lichen.ir.module import Array, Constant, Operation, Value
from lichen.ir.operator import Operator, register, require
from lichen.ops.params import bytes_anywhere, in_flash, int16_params, int32_params
from lichen.ops.shapes import axis_of, blocks, check_copied_type

MOST = 10  # operands of the kernel, as in TensorFlow Lite Micro


@register
class Concat(Operator):
    """x0, x1, … -> all of them one after the other along `axis`; any element type, all quantised alike."""

    kind = "concat"
    operands = (1, MOST)
    attributes = {"axis": int}

    def check(self, operation: Operation) -> None:
        result = operation.results[0].type
        axis = axis_of(operation, result.rank)
        for value in operation.operands:
            check_copied_type(value.type, result)
            require(
                value.type.rank == result.rank, f"{value.symbol} has {value.type.rank} dimensions, not {result.rank}"
            )
        length = sum(value.type.shape[axis] for value in operation.operands)
        expected = (*result.shape[:axis], length, *result.shape[axis + 1 :])
        require(result.shape == expected, f"the result must be {list(expected)}, not {list(result.shape)}")
        for value in operation.operands:
            shape = (*result.shape[:axis], value.type.shape[axis], *result.shape[axis + 1 :])
            require(value.type.shape == shape, f"{value.symbol} must be {list(shape)}, not {list(value.type.shape)}")

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        return (np.concatenate(operands, axis=operation.int_attribute("axis")),)

    def accesses(self, operation: Operation) -> Accesses:
        """One access for each operand's part of each row, in the order of the result."""
        parts = blocks([v.type for v in operation.operands], operation.int_attribute("axis"))
        variable = [i for i, v in enumerate(operation.operands) if not isinstance(v, Constant)]
        return Accesses({i: parts.of_part(i) for i in variable}, {0: parts.of_whole()}, atomic=True)

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        count = len(operation.operands)
        parts = blocks([v.type for v in operation.operands], operation.int_attribute("axis"))
        mask = sum(in_flash(operation, i) << i for i in range(count))
        rows = int32_params(operation, rows=parts.rows)
        rows |= int16_params(operation, count=count, flash_mask=mask)
        bytes_ = {f"bytes{i}": parts.sizes[i] if i < count else 0 for i in range(MOST)}
        sources = [bytes_anywhere(operation, i, f"part{i}") for i in range(count)]
        sources += sources[:1] * (MOST - count)
        return KernelCall("concat", rows | int32_params(operation, **bytes_), (*sources, Result(0)))

    def gradient(
        self, operation: Operation, gradients: Sequence[Value | None], backward: Backward
    ) -> Mapping[int, Value]:
        (gradient,), axis = gradients, operation.int_attribute("axis")
        assert gradient is not None
        found: dict[int, Value] = {}
        start = 0
        for index, part in enumerate(operation.operands):
            shape = part.type.shape
            if backward.wants(part):
                begin = tuple(start if i == axis else 0 for i in range(len(shape)))
                end = tuple(b + n for b, n in zip(begin, shape, strict=True))
                where = {"begin": begin, "end": end, "strides": (1,) * len(shape)}
                found[index] = backward.emit("strided_slice", [gradient], part.type, **where)
            start += shape[axis]
        return found
