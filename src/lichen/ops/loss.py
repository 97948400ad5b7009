"""What losses share."""

from __future__ import annotations

import numpy as np

from lichen.ir.accesses import Accesses
from lichen.ir.kernel import Core, KernelCall, Result
from lichen.ir.module import Operation
from lichen.ir.operator import Operator, require
from lichen.ops.parameter_update import check_float
from lichen.ops.params import in_arena, int32_params


class Loss(Operator):
    """Prediction, target of its shape -> loss (1), float32; the mean over the elements.

    A loss is where differentiation begins: its own gradient is 1. The kernel is `<kind>_f32(p, prediction, target, loss)`.
    """

    operands = (2, 2)

    def check(self, operation: Operation) -> None:
        check_float(operation)
        prediction, target = (v.type for v in operation.operands)
        require(
            prediction.shape == target.shape,
            f"the target {list(target.shape)} must have the shape of the prediction {list(prediction.shape)}",
        )
        require(operation.results[0].type.elements == 1, "the loss is one number")

    def accesses(self, operation: Operation) -> Accesses:
        """Element by element; the loss is written when all has been read."""
        count = operation.operands[0].type.elements
        edges = np.arange(count + 1, dtype=np.int64) * 4
        reads = np.stack([edges[:-1], edges[1:]], axis=1)
        writes = np.zeros((count, 2), np.int64)
        writes[-1] = 0, 4
        return Accesses({0: reads, 1: reads}, {0: writes}, atomic=True)

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        params = int32_params(operation, count=operation.operands[0].type.elements)
        return KernelCall(f"{self.kind}_f32", params, (in_arena(operation, 0), in_arena(operation, 1), Result(0)))
