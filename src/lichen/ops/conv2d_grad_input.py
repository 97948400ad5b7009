"""Gradient of a convolution with respect to its input."""

from __future__ import annotations

import numpy as np

from lichen.ir.kernel import Core, KernelCall, Result
from lichen.ir.module import Array, Operation
from lichen.ir.operator import Operator, register
from lichen.ops.parameter_update import check_float
from lichen.ops.params import anywhere, in_arena, in_flash
from lichen.ops.window import Window
from lichen.ops.window_gradient import check_held, layer_params, layer_window


@register
class Conv2DGradInput(Operator):
    """Gradient (1, H', W', O), weights (O, kernel_h, kernel_w, C) -> gradient (1, H, W, C).

    float32: within 1e-5 of the sum of magnitudes.
    """

    kind = "conv2d_grad_input"
    operands = (2, 2)
    attributes = {"stride": tuple, "padding": tuple, "dilation": tuple}
    reads_state = frozenset({1})

    def check(self, operation: Operation) -> None:
        check_float(operation)
        check_held(operation, 1)
        _window(operation)

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        gradient, weights = (x.astype(np.float64) for x in operands)
        window, channels = _window(operation), operation.results[0].type.shape[3]
        products = gradient.reshape(-1, len(weights)) @ weights.reshape(len(weights), -1)
        patches = products.reshape(window.out_h, window.out_w, *window.kernel, channels)
        return (window.scatter(patches).astype(np.float32),)

    def macs(self, operation: Operation) -> int:
        gradient, weights = operation.operands[0].type, operation.operands[1].type
        return gradient.elements * weights.elements // weights.shape[0]

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        gradient, result = operation.operands[0].type, operation.results[0].type
        params = layer_params(operation, _window(operation), result, gradient, in_flash(operation, 1))
        arguments = in_arena(operation, 0), anywhere(operation, 1, "weights"), Result(0)
        return KernelCall("conv2d_grad_input_f32", params, arguments)


def _window(operation: Operation) -> Window:
    gradient, weights, result = operation.operands[0].type, operation.operands[1].type, operation.results[0].type
    return layer_window(operation, weights, result, gradient, depthwise=False)
