"""Update of the weights of a depthwise convolution."""

from __future__ import annotations

import numpy as np

from lichen.ir.kernel import Core, KernelCall, Operand
from lichen.ir.module import Array, Operation
from lichen.ir.operator import register
from lichen.ops.parameter_update import ParameterUpdate
from lichen.ops.window import Window
from lichen.ops.window_gradient import layer_params, layer_window


@register
class DepthwiseConv2DUpdate(ParameterUpdate):
    """$weights (1, kernel_h, kernel_w, C * m), gradient (1, H', W', C * m), x (1, H, W, C), coefficients (2) -> nothing.

    float32: within 1e-5 of the sum of magnitudes.
    """

    kind = "depthwise_conv2d_update"
    operands = (4, 4)
    attributes = {"stride": tuple, "padding": tuple, "dilation": tuple}

    def check_sources(self, operation: Operation) -> None:
        _window(operation)

    def parameter_gradient(self, operation: Operation, *sources: Array) -> Array:
        gradient, x = (s.astype(np.float64) for s in sources)
        window = _window(operation)
        patches = window.patches(x, 0)
        outputs = gradient.reshape(window.out_h, window.out_w, x.shape[3], -1)
        product: Array = np.einsum("yxijc,yxcm->ijcm", patches, outputs)
        return product

    def macs(self, operation: Operation) -> int:
        weights, gradient = operation.operands[0].type, operation.operands[1].type
        return gradient.elements * weights.elements // weights.shape[3]

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        gradient, x = operation.operands[1].type, operation.operands[2].type
        params = layer_params(operation, _window(operation), x, gradient)
        arguments = Operand(0), Operand(1), Operand(2), Operand(3)
        return KernelCall("depthwise_conv2d_update_f32", params, arguments)


def _window(operation: Operation) -> Window:
    weights, gradient, x = (v.type for v in operation.operands[:3])
    return layer_window(operation, weights, x, gradient, depthwise=True)
