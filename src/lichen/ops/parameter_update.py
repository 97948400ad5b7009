"""Operators that change a parameter by its gradient, without the gradient ever being a tensor."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import numpy as np

from lichen.ir.accesses import Accesses, whole
from lichen.ir.module import Array, Constant, Operation, State
from lichen.ir.operator import Operator, require
from lichen.ir.types import DType


class ParameterUpdate(Operator):
    """$parameter, what the gradient is computed from, coefficients (2) -> nothing.

    With coefficients (keep, add) the parameter becomes `keep * parameter + add * gradient`; (1, 0) leaves it as it is, whatever the
    gradient. All float32. A step of gradient descent is (1, -rate), accumulation over a batch is (1, 1 / batch).
    """

    results = 0
    updates: ClassVar[frozenset[int]] = frozenset({0})

    @abstractmethod
    def check_sources(self, operation: Operation) -> None:
        """The type rule of the operands between parameter and coefficients."""

    @abstractmethod
    def parameter_gradient(self, operation: Operation, *sources: Array) -> Array:
        """The gradient, in the shape of the parameter, from the operands between parameter and coefficients; in double."""

    def check(self, operation: Operation) -> None:
        check_float(operation)
        for value in operation.operands[1:]:
            require(not isinstance(value, Constant), f"{value.symbol} is constant; gradients are not")
        coefficients = operation.operands[-1].type
        require(coefficients.elements == 2, f"coefficients are two numbers, not {list(coefficients.shape)}")
        self.check_sources(operation)

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        parameter, *sources, coefficients = operands
        keep, add = (float(c) for c in coefficients.ravel())
        kept = keep * parameter.astype(np.float64) if keep else np.zeros(parameter.shape)
        if add:
            kept = kept + add * self.parameter_gradient(operation, *sources).reshape(parameter.shape)
        return (kept.astype(np.float32),)

    def accesses(self, operation: Operation) -> Accesses:
        """All is read at once, nothing in the arena is written."""
        operands = enumerate(operation.operands)
        return whole({i: v.type.bytes for i, v in operands if not isinstance(v, State)}, {})


def check_float(operation: Operation) -> None:
    """Raises `VerifyError` unless all operands and results are float32."""
    for value in (*operation.operands, *operation.results):
        require(value.type.dtype is DType.FLOAT32, f"{value.symbol} is of {value.type.dtype.value}; learning needs f32")
