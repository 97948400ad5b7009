"""What operators share that gather elements by strides: the walk, its accesses and the call of the kernel."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np

from lichen.ir.accesses import Accesses
from lichen.ir.kernel import Core, KernelCall, Result
from lichen.ir.module import Constant, Operation
from lichen.ir.operator import Operator
from lichen.ops.params import bytes_anywhere, in_flash, int16_params, int32_params
from lichen.ops.walk import Walk, run_spans


@dataclass(frozen=True)
class StridedCopy:
    """The result, in order, is element `start` of the operand and those that `strides` lead to from it."""

    start: int
    strides: tuple[int, ...]

    def accesses(self, operation: Operation) -> Accesses:
        """One access a run of neighbours, or an element where the strides are not 1."""
        walk, size = self._walk(operation), operation.results[0].type.dtype.size
        length = walk.inner if walk.inner_steps[0] == 1 else 1
        starts = self.start + (walk.row_offsets(0) if length > 1 else walk.offsets(0))
        targets = length * np.arange(len(starts), dtype=np.int64)
        reads = {} if isinstance(operation.operands[0], Constant) else {0: run_spans(starts, length, size)}
        return Accesses(reads, {0: run_spans(targets, length, size)}, atomic=True)

    def lower(self, operation: Operation) -> KernelCall:
        """The kernel, which moves runs or elements in that order."""
        walk = self._walk(operation)
        params = int32_params(
            operation, rows=walk.rows, inner=walk.inner, start=self.start, step=walk.inner_steps[0]
        ) | int16_params(
            operation,
            dimensions=len(walk.extents),
            element_bytes=operation.results[0].type.dtype.size,
            in_flash=in_flash(operation, 0),
        )
        return KernelCall("strided_copy", params, (bytes_anywhere(operation, 0, "source"), Result(0), walk.geometry))

    def _walk(self, operation: Operation) -> Walk:
        return Walk.over(operation.results[0].type.shape, [self.strides])


class Gather(Operator):
    """x -> some of its elements, or all in another order; any element type."""

    operands = (1, 1)

    @abstractmethod
    def copy(self, operation: Operation) -> StridedCopy:
        """Which element comes where."""

    def accesses(self, operation: Operation) -> Accesses:
        return self.copy(operation).accesses(operation)

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        return self.copy(operation).lower(operation)
