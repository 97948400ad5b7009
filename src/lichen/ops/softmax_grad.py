"""Gradient of softmax."""

from __future__ import annotations

import math

import numpy as np

from lichen.ir.kernel import Core, KernelCall, Result
from lichen.ir.module import Array, Operation
from lichen.ir.operator import Operator, register, require
from lichen.ops.parameter_update import check_float
from lichen.ops.params import in_arena, int32_params


@register
class SoftmaxGrad(Operator):
    """Result y (…, n) of a softmax, gradient of its shape -> `beta * y * (gradient - sum(gradient * y))`, the sum along the last axis.

    float32: within 1e-5 of the largest gradient.
    """

    kind = "softmax_grad"
    operands = (2, 2)
    attributes = {"beta": float}

    def check(self, operation: Operation) -> None:
        check_float(operation)
        shapes = {v.type.shape for v in (*operation.operands, *operation.results)}
        require(len(shapes) == 1, f"operands and result must have one shape, not {sorted(map(list, shapes))}")
        require(operation.results[0].type.rank >= 1, "softmax needs at least one axis")
        beta = operation.float_attribute("beta")
        require(0.0 < beta < math.inf, f"beta is {beta}, but must be a positive number")

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        y, gradient = (x.astype(np.float64) for x in operands)
        mean = (gradient * y).sum(axis=-1, keepdims=True)
        return ((operation.float_attribute("beta") * y * (gradient - mean)).astype(np.float32),)

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        result = operation.results[0].type
        depth = result.shape[-1]
        params = int32_params(operation, rows=result.elements // depth, depth=depth)
        params["beta"] = float(np.float32(operation.float_attribute("beta")))
        return KernelCall("softmax_grad_f32", params, (in_arena(operation, 0), in_arena(operation, 1), Result(0)))
