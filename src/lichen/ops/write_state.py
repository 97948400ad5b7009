"""Writing of state: what later calls will read."""

from __future__ import annotations

import numpy as np

from lichen.ir.accesses import Accesses
from lichen.ir.kernel import Core, KernelCall, Operand
from lichen.ir.module import Array, Constant, Operation
from lichen.ir.operator import Operator, register, require
from lichen.ops.params import bytes_anywhere, in_flash, int16_params, int32_params


@register
class WriteState(Operator):
    """$state, value -> nothing; the state becomes the value."""

    kind = "write_state"
    operands = (2, 2)
    updates = frozenset({0})
    results = 0

    def check(self, operation: Operation) -> None:
        state, value = operation.operands
        require(state.type == value.type, f"{value.symbol} is not of the type of {state.symbol}")

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        return (np.array(operands[1], copy=True),)

    def accesses(self, operation: Operation) -> Accesses:
        value = operation.operands[1]
        return Accesses({} if isinstance(value, Constant) else {1: np.array([[0, value.type.bytes]], np.int64)})

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        params = int32_params(operation, bytes=operation.operands[1].type.bytes)
        params |= int16_params(operation, in_flash=in_flash(operation, 1))
        return KernelCall("copy", params, (bytes_anywhere(operation, 1, "value"), Operand(0)))
