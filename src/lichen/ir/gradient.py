"""What a gradient rule is given: the backward pass that it adds operations to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from lichen.ir.module import Attribute, Value
from lichen.ir.types import TensorType


class Backward(ABC):
    """The backward pass of one function, as it grows. Operators call it from `Operator.gradient`."""

    @abstractmethod
    def wants(self, value: Value) -> bool:
        """Whether anything in front of `value` is learned, so that the gradient with respect to it is of use."""

    @abstractmethod
    def emit(self, kind: str, operands: Sequence[Value], result: TensorType, **attributes: Attribute) -> Value:
        """Adds an operation of one result, which is a gradient or a step towards one."""

    @abstractmethod
    def learn(self, parameter: Value, kind: str, sources: Sequence[Value], **attributes: Attribute) -> None:
        """The gradient with respect to `parameter` is complete: it is what operator `kind`, a `ParameterUpdate`, makes of `sources`.

        The parameter may change at once, so every operation that reads it must have been added before. Does nothing for a parameter
        that is frozen.
        """
