"""Broadcasting with a factor: the gradient of a mean."""

from __future__ import annotations

import numpy as np

from lichen.ir.kernel import Core, KernelCall, Result
from lichen.ir.module import Array, Operation
from lichen.ir.operator import Operator, register, require
from lichen.ops.parameter_update import check_float
from lichen.ops.params import in_arena, int16_params, int32_params
from lichen.ops.sum_to import check_broadcast
from lichen.ops.walk import Walk, broadcast_strides, contiguous_strides


@register
class Spread(Operator):
    """x -> factor * x, broadcast to the shape of the result. float32: exact to one rounding."""

    kind = "spread"
    operands = (1, 1)
    attributes = {"factor": float}

    def check(self, operation: Operation) -> None:
        check_float(operation)
        x, result = operation.operands[0].type.shape, operation.results[0].type.shape
        check_broadcast(x, result)
        require(abs(operation.float_attribute("factor")) <= float(np.finfo(np.float32).max), "factor is no float32")

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        shape, factor = operation.results[0].type.shape, np.float32(operation.float_attribute("factor"))
        with np.errstate(over="ignore", invalid="ignore"):
            return (np.broadcast_to(operands[0] * factor, shape).astype(np.float32),)

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        x, result = operation.operands[0].type, operation.results[0].type
        walk = Walk.over(result.shape, [broadcast_strides(x.shape, result.shape), contiguous_strides(result.shape)])
        params = int32_params(operation, rows=walk.rows, inner=walk.inner)
        params |= int16_params(operation, dimensions=len(walk.extents), step=walk.inner_steps[0])
        params["factor"] = float(np.float32(operation.float_attribute("factor")))
        return KernelCall("spread_f32", params, (in_arena(operation, 0), Result(0), walk.geometry))
