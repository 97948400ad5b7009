"""The graph: a module of functions in SSA form over shared constants and state."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lichen.ir.types import TensorType

Array = NDArray[Any]
Attribute = bool | int | float | str | tuple[int, ...] | tuple[float, ...]


@dataclass(eq=False)
class Value:
    """A tensor that a function computes or is given. Identity, not name, tells values apart."""

    name: str
    type: TensorType

    @property
    def symbol(self) -> str:
        """The value's name in the text form."""
        return f"%{self.name}"


@dataclass(eq=False)
class Constant(Value):
    """A tensor known at compile time; it lives in flash."""

    data: Array

    @property
    def symbol(self) -> str:
        return f"@{self.name}"


@dataclass(eq=False)
class State(Value):
    """A tensor that survives from call to call (and, if saved, a reset): read and changed by the operators that say so."""

    initial: Array

    @property
    def symbol(self) -> str:
        return f"${self.name}"


@dataclass(eq=False)
class Operation:
    """One use of an operator; `kind` names the operator in the registry."""

    kind: str
    operands: list[Value]
    results: list[Value]
    attributes: dict[str, Attribute] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """An operation is named after its first result, or after the state it writes."""
        return self.results[0].name if self.results else self.operands[0].name

    def int_attribute(self, key: str) -> int:
        value = self.attributes[key]
        assert isinstance(value, int)
        return value

    def float_attribute(self, key: str) -> float:
        value = self.attributes[key]
        assert isinstance(value, int | float)
        return float(value)

    def str_attribute(self, key: str) -> str:
        value = self.attributes[key]
        assert isinstance(value, str)
        return value

    def ints_attribute(self, key: str) -> tuple[int, ...]:
        value = self.attributes[key]
        assert isinstance(value, tuple)
        return tuple(int(v) for v in value)


@dataclass(eq=False)
class Function:
    """Straight-line code: operations in an order in which every value is defined before it is used."""

    name: str
    inputs: list[Value]
    operations: list[Operation]
    outputs: list[Value]

    def producer(self, value: Value) -> Operation | None:
        """The operation that computes `value`; `None` for an input, a constant or state."""
        return next((op for op in self.operations if any(r is value for r in op.results)), None)

    def consumers(self, value: Value) -> list[Operation]:
        return [op for op in self.operations if any(v is value for v in op.operands)]

    def is_output(self, value: Value) -> bool:
        return any(v is value for v in self.outputs)

    def replace_uses(self, old: Value, new: Value) -> None:
        """Every operand and output that is `old` becomes `new`."""
        for op in self.operations:
            op.operands = [new if v is old else v for v in op.operands]
        self.outputs = [new if v is old else v for v in self.outputs]

    def values(self) -> Iterator[Value]:
        """Inputs and results, in order of definition."""
        yield from self.inputs
        for op in self.operations:
            yield from op.results


@dataclass(eq=False)
class Module:
    """A compiled unit: functions (`infer`, later `learn`) that share constants and state."""

    name: str
    functions: dict[str, Function] = field(default_factory=dict)

    @property
    def infer(self) -> Function:
        return self.functions["infer"]

    def constants(self) -> list[Constant]:
        """Constants in order of first use."""
        return [v for v in self._operands() if isinstance(v, Constant)]

    def states(self) -> list[State]:
        """State in order of first use."""
        return [v for v in self._operands() if isinstance(v, State)]

    def _operands(self) -> list[Value]:
        seen: dict[int, Value] = {}
        for function in self.functions.values():
            for op in function.operations:
                for value in op.operands:
                    seen.setdefault(id(value), value)
            for value in function.outputs:
                seen.setdefault(id(value), value)
        return list(seen.values())


def identifier(text: str) -> str:
    """`text` reduced to letters, digits and single underscores, never empty and never starting with a digit."""
    name = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")[-48:].strip("_")
    if not name:
        return "t"
    return f"t{name}" if name[0].isdigit() else name


class Namer:
    """Gives out identifiers that differ from each other, also when only their case differs (C macros are in capitals)."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = {name.lower() for name in taken}
        self._numbers: dict[str, int] = {}  # where to go on counting, so that many equal names take linear time

    def __call__(self, text: str) -> str:
        base = identifier(text)
        number = self._numbers.get(base.lower(), 1)
        name = base if number == 1 else f"{base}_{number}"
        while name.lower() in self._taken:
            number += 1
            name = f"{base}_{number}"
        self._taken.add(name.lower())
        self._numbers[base.lower()] = number + 1
        return name


def constant(name: str, data: Array, type_: TensorType) -> Constant:
    """A constant whose data is made contiguous, little endian and read-only."""
    array = np.ascontiguousarray(data, type_.dtype.numpy).reshape(type_.shape)
    array.setflags(write=False)
    return Constant(name, type_, array)
