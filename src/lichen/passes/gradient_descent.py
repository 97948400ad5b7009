"""How parameters follow their gradients: stochastic gradient descent, as operations of the graph."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lichen.errors import InputError
from lichen.ir.module import Attribute, Function, Namer, Operation, State, Value
from lichen.ir.types import DType, TensorType

LEARNING_RATE = "learning_rate"
"""The state that holds the learning rate, which generated code lets its user set."""

_ONE = TensorType((1,), DType.FLOAT32)
_COEFFICIENTS = TensorType((2,), DType.FLOAT32)


@dataclass(frozen=True)
class GradientDescent:
    """`learning_rate` is where it starts; it can be set at run time. `batch` samples make one step, by the mean of their gradients.

    `momentum` and `weight_decay` as in PyTorch's `SGD`. Without momentum and with a batch of 1 a parameter is changed in place by
    each sample. Otherwise each parameter has an accumulator of its size. Raises `InputError` for values that make no sense.
    """

    learning_rate: float = 0.01
    batch: int = 1
    momentum: float = 0.0
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        for name in ("learning_rate", "weight_decay"):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise InputError(f"{name} is {value}, but must be a number from 0")
        if not 0 <= self.momentum < 1:
            raise InputError(f"momentum is {self.momentum}, but must be at least 0 and less than 1")
        if not 1 <= self.batch < 2**31:
            raise InputError(f"batch is {self.batch}, but must be at least 1")

    @property
    def accumulates(self) -> bool:
        """Whether each parameter has an accumulator."""
        return self.batch > 1 or self.momentum > 0


class Descent:
    """Gradient descent in one function: the coefficients of this call, then an update for each parameter."""

    def __init__(self, how: GradientDescent, function: Function, loss: Value, local: Namer, shared: Namer) -> None:
        self._how, self._function, self._shared = how, function, shared
        rate = State(LEARNING_RATE, _ONE, np.full(1, how.learning_rate, np.float32))
        decay: Attribute = float(how.weight_decay)
        if not how.accumulates:
            self._coefficients = [Value(local("step"), _COEFFICIENTS)]
            function.operations.append(Operation("sgd", [rate, loss], self._coefficients, {"weight_decay": decay}))
            return
        count = State(shared("samples_in_batch"), TensorType((1,), DType.INT32), np.zeros(1, np.int32))
        self._coefficients = [Value(local(name), _COEFFICIENTS) for name in ("accumulate", "decay", "step")]
        attributes: dict[str, Attribute] = {
            "batch": how.batch,
            "momentum": float(how.momentum),
            "weight_decay": decay,
        }
        function.operations.append(Operation("sgd_batch", [count, rate, loss], self._coefficients, attributes))

    def update(self, parameter: State, kind: str, sources: Sequence[Value], **attributes: Attribute) -> None:
        """Adds what changes `parameter` by the gradient that operator `kind` makes of `sources`."""

        def add(kind: str, target: State, operands: Sequence[Value], coefficients: Value, **more: Attribute) -> None:
            self._function.operations.append(Operation(kind, [target, *operands, coefficients], [], dict(more)))

        if not self._how.accumulates:
            add(kind, parameter, sources, self._coefficients[0], **attributes)
            return
        accumulate, decay, step = self._coefficients
        zeros = np.zeros(parameter.type.shape, np.float32)
        accumulator = State(self._shared(f"{parameter.name}_gradient"), parameter.type, zeros)
        add(kind, accumulator, sources, accumulate, **attributes)
        if self._how.weight_decay:
            add("update", accumulator, [parameter], decay)
        add("update", parameter, [accumulator], step)
