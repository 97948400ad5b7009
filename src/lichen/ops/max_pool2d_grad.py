"""Gradient of maximum pooling."""

from __future__ import annotations

import numpy as np

from lichen.ir.kernel import Core, KernelCall, Result
from lichen.ir.module import Array, Operation
from lichen.ir.operator import Operator, register, require
from lichen.ops.parameter_update import check_float
from lichen.ops.params import in_arena
from lichen.ops.window_gradient import pool_params, pool_window


@register
class MaxPool2DGrad(Operator):
    """x (1, H, W, C), gradient (1, H', W', C) -> gradient (1, H, W, C): each goes to the first of the largest inputs of its window.

    float32: within 1e-6 of the sum of magnitudes.
    """

    kind = "max_pool2d_grad"
    operands = (2, 2)
    attributes = {"kernel": tuple, "stride": tuple, "padding": tuple}

    def check(self, operation: Operation) -> None:
        check_float(operation)
        x, result = operation.operands[0].type, operation.results[0].type
        require(x.shape == result.shape, f"the result must be {list(x.shape)} like the input, not {list(result.shape)}")
        pool_window(operation, operation.operands[1].type)

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        window = pool_window(operation, operation.operands[1].type)
        channels, taps = operands[0].shape[3], window.kernel[0] * window.kernel[1]
        inside = window.patches(np.ones(operands[0].shape, bool), False)
        patches = np.where(inside, window.patches(operands[0], 0.0), -np.inf)
        first = patches.reshape(window.out_h, window.out_w, taps, channels).argmax(axis=2)
        chosen = np.arange(taps)[:, None] == first[:, :, None, :]
        shares = np.where(chosen, operands[1][0].astype(np.float64)[:, :, None, :], 0.0)
        return (window.scatter(shares.reshape(patches.shape)).astype(np.float32),)

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        gradient = operation.operands[1].type
        params = pool_params(operation, pool_window(operation, gradient), gradient)
        return KernelCall("max_pool2d_grad_f32", params, (in_arena(operation, 0), in_arena(operation, 1), Result(0)))
