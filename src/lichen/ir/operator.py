"""What an operator is, and the registry that `lichen.ops` fills."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

from lichen.errors import UnsupportedError, VerifyError
from lichen.ir.accesses import Accesses, whole
from lichen.ir.gradient import Backward
from lichen.ir.kernel import Core, KernelCall
from lichen.ir.module import Array, Operation, Value


class Operator(ABC):
    """Everything about one operator. Instances hold no state; `operation` is a use of the operator in a graph."""

    kind: ClassVar[str]
    attributes: ClassVar[dict[str, type]] = {}
    """Name and Python type of every attribute; all are required."""
    operands: ClassVar[tuple[int, int]]
    """Fewest and most operands."""
    results: ClassVar[int | None] = 1
    """Number of results; `None` if it varies."""
    reads_state: ClassVar[frozenset[int]] = frozenset()
    """Operands that may be state, which the kernel then reads where it lies."""
    updates: ClassVar[frozenset[int]] = frozenset()
    """Operands that must be state, which the kernel changes where it lies."""
    is_view: ClassVar[bool] = False
    """The result is the operand's memory under another type: no code, no copy."""

    @abstractmethod
    def check(self, operation: Operation) -> None:
        """The type rule. Counts and attribute types hold already; raises `VerifyError` (see `require`)."""

    @abstractmethod
    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        """The NumPy reference: the results' exact bytes (int8), or their values summed in the kernel's order (float32).

        The new value of each operand in `updates` follows the results. No operand is changed.
        """

    def macs(self, operation: Operation) -> int:
        """Multiply-accumulate operations of one evaluation, padding included as in the usual count."""
        return 0

    def accesses(self, operation: Operation) -> Accesses:
        """The order in which the kernel of `lower` touches operands and results, unless its call has an order of its own. Without an
        override nothing may overlap.

        Constants and state are not in the arena and need not appear.
        """
        return whole(
            {i: v.type.bytes for i, v in enumerate(operation.operands)},
            {i: v.type.bytes for i, v in enumerate(operation.results)},
        )

    def row_accesses(self, operation: Operation) -> Accesses:
        """The same of any spatial kernel that is called for each row of the result by itself: a whole number of accesses a row."""
        return self.accesses(operation)

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        """The C kernel for `core` and its arguments. A view has none."""
        raise UnsupportedError(f"operator {operation.kind} '{operation.name}' has no C kernel for these types")

    def gradient(
        self, operation: Operation, gradients: Sequence[Value | None], backward: Backward
    ) -> Mapping[int, Value]:
        """Adds to `backward` what leads from the gradients with respect to the results to those with respect to the operands.

        `gradients` has an entry for each result, `None` where nothing depends on it. The answer holds the gradients of the operands
        that `backward.wants`, by operand; parameters are handed to `backward.learn` instead.
        """
        raise UnsupportedError(
            f"{operation.kind} '{operation.name}' cannot be differentiated; let learning begin behind it"
        )


def require(condition: bool, message: str) -> None:
    """Raises `VerifyError(message)` unless `condition`."""
    if not condition:
        raise VerifyError(message)


_REGISTRY: dict[str, Operator] = {}


def register(cls: type[Operator]) -> type[Operator]:
    """Class decorator: makes the operator known under its `kind`."""
    assert cls.kind not in _REGISTRY, f"two operators are called {cls.kind}"
    _REGISTRY[cls.kind] = cls()
    return cls


def operator(kind: str) -> Operator:
    """The operator called `kind`; raises `UnsupportedError` for a name nobody registered."""
    found = _REGISTRY.get(kind)
    if found is None:
        raise UnsupportedError(f"operator '{kind}' is not known; known are {', '.join(sorted(_REGISTRY))}")
    return found


def kinds() -> Sequence[str]:
    """All registered kinds, sorted."""
    return sorted(_REGISTRY)
