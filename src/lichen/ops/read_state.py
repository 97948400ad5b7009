"""Reading of state: what a call left behind comes into the arena."""

from __future__ import annotations

import numpy as np

from lichen.ir.accesses import Accesses
from lichen.ir.kernel import Core, KernelCall, Operand, Result
from lichen.ir.module import Array, Operation, State
from lichen.ir.operator import Operator, register, require
from lichen.ops.params import int16_params, int32_params


@register
class ReadState(Operator):
    """$state -> a copy of its value."""

    kind = "read_state"
    operands = (1, 1)
    reads_state = frozenset({0})

    def check(self, operation: Operation) -> None:
        state, result = operation.operands[0], operation.results[0]
        require(isinstance(state, State), f"{state.symbol} is not state")
        require(state.type == result.type, f"the result is not of the type of {state.symbol}")

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        return (np.array(operands[0], copy=True),)

    def accesses(self, operation: Operation) -> Accesses:
        return Accesses({}, {0: np.array([[0, operation.results[0].type.bytes]], np.int64)})

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        params = int32_params(operation, bytes=operation.results[0].type.bytes) | int16_params(operation, in_flash=0)
        return KernelCall("copy", params, (Operand(0), Result(0)))
