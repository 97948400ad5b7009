"""The step of gradient descent as coefficients."""

from __future__ import annotations

import math

import numpy as np

from lichen.ir.accesses import Accesses
from lichen.ir.kernel import Core, KernelCall, Operand, Result
from lichen.ir.module import Array, Operation, State
from lichen.ir.operator import Operator, register, require
from lichen.ops.parameter_update import check_float


@register
class Sgd(Operator):
    """$rate (1), loss (1) -> coefficients (2): (1 - rate * weight_decay, -rate), by which each parameter is updated.

    Where loss or rate is not a finite number the coefficients are (1, 0): a bad sample teaches nothing. float32: exact to one
    rounding.
    """

    kind = "sgd"
    operands = (2, 2)
    attributes = {"weight_decay": float}
    reads_state = frozenset({0})

    def check(self, operation: Operation) -> None:
        check_float(operation)
        rate, loss = operation.operands
        require(isinstance(rate, State), "the learning rate must be state")
        require(rate.type.elements == 1 and loss.type.elements == 1, "learning rate and loss are one number each")
        require(operation.results[0].type.elements == 2, "there are two coefficients")
        decay = operation.float_attribute("weight_decay")
        require(0 <= decay < math.inf, f"weight_decay is {decay}, not a number from 0")

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        rate, loss = (np.float32(x.ravel()[0]) for x in operands)
        shape = operation.results[0].type.shape
        if not (np.isfinite(rate) and np.isfinite(loss)):
            return (np.array([1, 0], np.float32).reshape(shape),)
        decay = np.float32(operation.float_attribute("weight_decay"))
        return (np.array([1 - rate * decay, -rate], np.float32).reshape(shape),)

    def accesses(self, operation: Operation) -> Accesses:
        return Accesses({1: np.array([[0, 4]], np.int64)}, {0: np.array([[0, 8]], np.int64)})

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        params = {"weight_decay": float(np.float32(operation.float_attribute("weight_decay")))}
        return KernelCall("sgd", params, (Operand(0), Operand(1), Result(0)))
