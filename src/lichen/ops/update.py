"""Update of a parameter by a gradient that is there already."""

from __future__ import annotations

import numpy as np

from lichen.ir.kernel import Core, KernelCall, Operand
from lichen.ir.module import Array, Operation
from lichen.ir.operator import register, require
from lichen.ops.parameter_update import ParameterUpdate
from lichen.ops.params import int32_params


@register
class Update(ParameterUpdate):
    """$parameter (C), gradient (n * C), coefficients (2) -> nothing: the gradient is summed over n, as a bias needs it.

    The gradient may be state, too: what was accumulated over a batch. float32: within 1e-5 of the sum of magnitudes.
    """

    kind = "update"
    operands = (3, 3)
    reads_state = frozenset({1})

    def check_sources(self, operation: Operation) -> None:
        parameter, gradient = operation.operands[0].type, operation.operands[1].type
        require(
            gradient.elements % parameter.elements == 0,
            f"a gradient of {gradient.elements} values for {parameter.elements} parameters",
        )

    def parameter_gradient(self, operation: Operation, *sources: Array) -> Array:
        (gradient,) = sources
        sums: Array = gradient.astype(np.float64).reshape(-1, operation.operands[0].type.elements).sum(axis=0)
        return sums

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        count = operation.operands[0].type.elements
        params = int32_params(operation, count=count, rows=operation.operands[1].type.elements // count)
        return KernelCall("update_f32", params, (Operand(0), Operand(1), Operand(2)))
