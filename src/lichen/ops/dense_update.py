"""Update of the weights of a dense layer."""

from __future__ import annotations

import numpy as np

from lichen.ir.kernel import Core, KernelCall, Operand
from lichen.ir.module import Array, Operation
from lichen.ir.operator import register, require
from lichen.ops.parameter_update import ParameterUpdate
from lichen.ops.params import int16_params


@register
class DenseUpdate(ParameterUpdate):
    """$weights (O, K), gradient of `batch * O` elements, x of `batch * K`, coefficients (2) -> nothing.

    The gradient of the weights is the outer product of gradient and x. float32: within 1e-5 of the sum of magnitudes.
    """

    kind = "dense_update"
    operands = (4, 4)

    def check_sources(self, operation: Operation) -> None:
        weights, gradient, x = (v.type for v in operation.operands[:3])
        require(weights.rank == 2, f"weights must be (out, in), not {list(weights.shape)}")
        outputs, inputs = weights.shape
        batch = gradient.elements // outputs
        require(
            gradient.elements == batch * outputs and x.elements == batch * inputs,
            f"{gradient.elements} gradients and {x.elements} inputs do not go with weights {list(weights.shape)}",
        )

    def parameter_gradient(self, operation: Operation, *sources: Array) -> Array:
        gradient, x = (s.astype(np.float64) for s in sources)
        outputs, inputs = operation.operands[0].type.shape
        product: Array = gradient.reshape(-1, outputs).T @ x.reshape(-1, inputs)
        return product

    def macs(self, operation: Operation) -> int:
        return operation.operands[1].type.elements * operation.operands[0].type.shape[1]

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        outputs, inputs = operation.operands[0].type.shape
        batch = operation.operands[1].type.elements // outputs
        params = int16_params(operation, batch=batch, in_c=inputs, out_c=outputs)
        return KernelCall("dense_update_f32", params, tuple(map(Operand, range(4))))
