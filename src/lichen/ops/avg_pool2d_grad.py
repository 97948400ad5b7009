"""Gradient of average pooling."""

from __future__ import annotations

import numpy as np

from lichen.ir.kernel import Core, KernelCall, Result
from lichen.ir.module import Array, Operation
from lichen.ir.operator import Operator, register
from lichen.ops.parameter_update import check_float
from lichen.ops.params import in_arena
from lichen.ops.window_gradient import pool_params, pool_window


@register
class AveragePool2DGrad(Operator):
    """Gradient (1, H', W', C) -> gradient (1, H, W, C): each is shared out evenly among the inputs it is the mean of.

    float32: within 1e-6 of the sum of magnitudes.
    """

    kind = "avg_pool2d_grad"
    operands = (1, 1)
    attributes = {"kernel": tuple, "stride": tuple, "padding": tuple}

    def check(self, operation: Operation) -> None:
        check_float(operation)
        pool_window(operation, operation.operands[0].type)

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        window = pool_window(operation, operation.operands[0].type)
        shares = operands[0][0].astype(np.float64) / window.inside()[:, :, None]
        shape = (window.out_h, window.out_w, *window.kernel, shares.shape[-1])
        return (window.scatter(np.broadcast_to(shares[:, :, None, None], shape)).astype(np.float32),)

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        gradient = operation.operands[0].type
        params = pool_params(operation, pool_window(operation, gradient), gradient)
        return KernelCall("avg_pool2d_grad_f32", params, (in_arena(operation, 0), Result(0)))
