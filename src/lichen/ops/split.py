"""Splitting along one axis: the inverse of concatenation."""

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

MOST = 10  # results of the kernel


@register
class Split(Operator):
    """x -> its parts along `axis`, one after the other and of any lengths; any element type."""

    kind = "split"
    operands = (1, 1)
    results = None
    attributes = {"axis": int}

    def check(self, operation: Operation) -> None:
        x = operation.operands[0].type
        axis = axis_of(operation, x.rank)
        count = len(operation.results)
        require(1 <= count <= MOST, f"a split has 1 to {MOST} results, not {count}")
        for value in operation.results:
            check_copied_type(x, value.type)
            require(value.type.rank == x.rank, f"{value.symbol} has {value.type.rank} dimensions, not {x.rank}")
            shape = (*x.shape[:axis], value.type.shape[axis], *x.shape[axis + 1 :])
            require(value.type.shape == shape, f"{value.symbol} must be {list(shape)}, not {list(value.type.shape)}")
        length = sum(value.type.shape[axis] for value in operation.results)
        require(length == x.shape[axis], f"the parts have {length} of the {x.shape[axis]} elements along axis {axis}")

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        axis = operation.int_attribute("axis")
        lengths = [value.type.shape[axis] for value in operation.results]
        return tuple(np.split(operands[0], np.cumsum(lengths)[:-1], axis=axis))

    def accesses(self, operation: Operation) -> Accesses:
        """One access for each result's part of each row, in the order of the operand."""
        parts = blocks([v.type for v in operation.results], operation.int_attribute("axis"))
        reads = {} if isinstance(operation.operands[0], Constant) else {0: parts.of_whole()}
        return Accesses(reads, {i: parts.of_part(i) for i in range(len(operation.results))}, atomic=True)

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        count = len(operation.results)
        parts = blocks([v.type for v in operation.results], operation.int_attribute("axis"))
        rows = int32_params(operation, rows=parts.rows)
        rows |= int16_params(operation, count=count, in_flash=in_flash(operation, 0))
        bytes_ = {f"bytes{i}": parts.sizes[i] if i < count else 0 for i in range(MOST)}
        results = [Result(i) for i in range(count)] + [Result(0)] * (MOST - count)
        source = bytes_anywhere(operation, 0, "whole")
        return KernelCall("split", rows | int32_params(operation, **bytes_), (source, *results))

    def gradient(
        self, operation: Operation, gradients: Sequence[Value | None], backward: Backward
    ) -> Mapping[int, Value]:
        (x,), axis = operation.operands, operation.int_attribute("axis")
        total: Value | None = None
        start = 0
        for part, gradient in zip(operation.results, gradients, strict=True):
            if gradient is not None:
                before = tuple(start if i == axis else 0 for i in range(x.type.rank))
                after = tuple(n - m - b for n, m, b in zip(x.type.shape, part.type.shape, before, strict=True))
                padded = backward.emit("pad", [gradient], x.type, before=before, after=after, value=0.0)
                total = padded if total is None else backward.emit("add", [total, padded], x.type, activation="none")
            start += part.type.shape[axis]
        assert total is not None
        return {0: total}
