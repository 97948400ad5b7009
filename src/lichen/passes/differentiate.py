"""Differentiation: a function that computes a loss goes on to compute gradients and to change its parameters by them.

How this works inside: the operations are walked backwards from the loss. Each operator's `gradient` rule adds operations that lead from
the gradients of its results to those of its operands; where several operations use one value, their gradients are added up. A parameter
is updated as soon as its gradient is complete, mostly without the gradient ever being a tensor, so that gradients need not coexist. The
planner then places what is left as it places everything.
"""

from __future__ import annotations

from collections.abc import Sequence

from lichen.errors import UnsupportedError
from lichen.ir.gradient import Backward
from lichen.ir.module import Attribute, Function, Module, Namer, Operation, State, Value
from lichen.ir.operator import operator
from lichen.ir.types import TensorType
from lichen.passes.gradient_descent import LEARNING_RATE, Descent, GradientDescent


def differentiate(
    module: Module, function: Function, loss: Value, parameters: Sequence[State], how: GradientDescent
) -> None:
    """Appends to `function` of `module` what changes `parameters` by one step of descent of `loss` (1), float32.

    Raises `UnsupportedError` for a parameter that several operations use or none does, and for operators on the way that have no
    gradient.
    """
    walk = _Walk(module, function, parameters)
    forward = list(function.operations)
    walk.begin(loss, how)
    for operation in reversed(forward):
        walk.back_through(operation, loss)


class _Walk(Backward):
    def __init__(self, module: Module, function: Function, parameters: Sequence[State]) -> None:
        self._function = function
        self._shared = Namer([LEARNING_RATE, *(v.name for v in module.states())])
        self._local = Namer(v.name for v in function.values())
        self._parameters = set(parameters)
        self._gradients: dict[Value, Value] = {}
        for parameter in parameters:
            users = [op for op in function.operations if any(v is parameter for v in op.operands)]
            if len(users) != 1:
                count = "several operations use" if users else "nothing uses"
                raise UnsupportedError(f"{parameter.name} cannot be learned: {count} it")
        self._learned: set[Value] = set(parameters)  # parameters, and all that depends on them
        for op in function.operations:
            if any(v in self._learned for v in op.operands):
                self._learned.update(op.results)

    def begin(self, loss: Value, how: GradientDescent) -> None:
        """The loss is known: so are the coefficients of all updates."""
        self._descent = Descent(how, self._function, loss, self._local, self._shared)

    def back_through(self, operation: Operation, loss: Value) -> None:
        """Adds the gradients of one operation's operands, if anything in front of it is learned."""
        gradients = [self._gradients.get(v) for v in operation.results]
        is_loss = any(v is loss for v in operation.results)
        if not any(v in self._learned for v in operation.results) or not (is_loss or any(gradients)):
            return
        found = operator(operation.kind).gradient(operation, gradients, self)
        for index, gradient in found.items():
            self._add(operation.operands[index], gradient)

    def _add(self, value: Value, gradient: Value) -> None:
        if not self.wants(value):
            return
        before = self._gradients.get(value)
        if before is not None:
            gradient = self.emit("add", [before, gradient], value.type, activation="none")
        gradient.name = self._local(f"grad_{value.name}")
        self._gradients[value] = gradient

    def wants(self, value: Value) -> bool:
        return value in self._learned and value not in self._parameters

    def emit(self, kind: str, operands: Sequence[Value], result: TensorType, **attributes: Attribute) -> Value:
        value = Value(self._local(kind), result)
        self._function.operations.append(Operation(kind, list(operands), [value], dict(attributes)))
        return value

    def learn(self, parameter: Value, kind: str, sources: Sequence[Value], **attributes: Attribute) -> None:
        if parameter in self._parameters:
            assert isinstance(parameter, State)
            self._descent.update(parameter, kind, sources, **attributes)
