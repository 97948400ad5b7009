"""The gradient of losses that look at the difference of prediction and target."""

from __future__ import annotations

import math

import numpy as np

from lichen.ir.accesses import Accesses, elementwise
from lichen.ir.kernel import Core, KernelCall, Result
from lichen.ir.module import Array, Operation
from lichen.ir.operator import Operator, register, require
from lichen.ops.parameter_update import check_float
from lichen.ops.params import in_arena, int16_params, int32_params


@register
class Difference(Operator):
    """a, b of one shape -> factor * (a - b), or with `sign` factor * (-1, 0 or 1). float32: exact to one rounding."""

    kind = "difference"
    operands = (2, 2)
    attributes = {"factor": float, "sign": bool}

    def check(self, operation: Operation) -> None:
        check_float(operation)
        shapes = {v.type.shape for v in (*operation.operands, *operation.results)}
        require(len(shapes) == 1, f"operands and result must have one shape, not {sorted(map(list, shapes))}")
        require(math.isfinite(operation.float_attribute("factor")), "factor is not a finite number")

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        with np.errstate(all="ignore"):
            difference = operands[0] - operands[1]
            if operation.attributes["sign"]:
                difference = np.sign(difference)
            return ((difference * np.float32(operation.float_attribute("factor"))).astype(np.float32),)

    def accesses(self, operation: Operation) -> Accesses:
        return elementwise(operation.results[0].type.elements, {0: 4, 1: 4}, 4)

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        params = int32_params(operation, count=operation.results[0].type.elements)
        params |= int16_params(operation, sign=int(bool(operation.attributes["sign"])))
        params["factor"] = float(np.float32(operation.float_attribute("factor")))
        return KernelCall("difference_f32", params, (in_arena(operation, 0), in_arena(operation, 1), Result(0)))
