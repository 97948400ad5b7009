"""Gradient of a dense layer with respect to its input."""

from __future__ import annotations

import numpy as np

from lichen.ir.accesses import Accesses, Intervals
from lichen.ir.kernel import Core, KernelCall, Operand, Result
from lichen.ir.module import Array, Constant, Operation, State
from lichen.ir.operator import Operator, register, require
from lichen.ops.parameter_update import check_float
from lichen.ops.params import anywhere, in_flash, int16_params


@register
class DenseGradInput(Operator):
    """Gradient of `batch * O` elements, weights (O, K) -> gradient of `batch * K`. float32: within 1e-5 of the sum of magnitudes."""

    kind = "dense_grad_input"
    operands = (2, 2)
    reads_state = frozenset({1})

    def check(self, operation: Operation) -> None:
        check_float(operation)
        gradient, weights = operation.operands
        require(not isinstance(gradient, Constant), "the gradient must not be constant")
        require(isinstance(weights, Constant | State), "the weights must be constant or state")
        require(weights.type.rank == 2, f"weights must be (out, in), not {list(weights.type.shape)}")
        outputs, inputs = weights.type.shape
        batch, result = gradient.type.elements // outputs, operation.results[0].type
        require(
            gradient.type.elements == batch * outputs and result.elements == batch * inputs,
            f"weights {list(weights.type.shape)} do not lead from {list(gradient.type.shape)} to {list(result.shape)}",
        )

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        gradient, weights = (x.astype(np.float64) for x in operands)
        product = gradient.reshape(-1, len(weights)) @ weights
        return (product.astype(np.float32).reshape(operation.results[0].type.shape),)

    def macs(self, operation: Operation) -> int:
        return operation.operands[0].type.elements * operation.operands[1].type.shape[1]

    def accesses(self, operation: Operation) -> Accesses:
        """One access a row of the batch: all of its gradient is read, all of its result written."""
        batch = operation.operands[0].type.elements // operation.operands[1].type.shape[0]

        def rows(total: int) -> Intervals:
            edges = np.arange(batch + 1, dtype=np.int64) * (total // batch)
            return np.stack([edges[:-1], edges[1:]], axis=1)

        return Accesses({0: rows(operation.operands[0].type.bytes)}, {0: rows(operation.results[0].type.bytes)})

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        outputs, inputs = operation.operands[1].type.shape
        batch = operation.operands[0].type.elements // outputs
        params = int16_params(
            operation, batch=batch, in_c=inputs, out_c=outputs, weights_in_flash=in_flash(operation, 1)
        )
        return KernelCall("dense_grad_input_f32", params, (Operand(0), anywhere(operation, 1, "weights"), Result(0)))
