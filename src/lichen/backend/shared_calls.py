"""Kernel calls that several functions of a model make alike, as the frozen part of a model that learns: one C function each, specialised once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from lichen.backend.literals import C_TYPES, wrap
from lichen.backend.program import Program, Step
from lichen.ir.kernel import Argument, KernelCall, Operand, Scratch, Table
from lichen.ir.module import Operation


class SharedCalls:
    """Which calls of `program` are shared, and the functions that were made of them so far.

    Calls are alike if kernel, shapes, tables and types are the same; tensors may lie anywhere, their addresses are the parameters.
    """

    def __init__(self, program: Program) -> None:
        self._model = program.module.name
        seen: Counter[object] = Counter()
        for planned in program.functions.values():
            steps = (step for step in planned.steps if isinstance(step, Step))
            seen.update({_alike(step.operation, step.call) for step in steps})
        self._shared = {key for key, functions in seen.items() if functions > 1}
        self._names: dict[object, str] = {}
        self._definitions: list[str] = []

    def name(
        self, owner: str, operation: Operation, call: KernelCall, statement: Callable[[Mapping[int, str]], str]
    ) -> str | None:
        """The C function of a shared call, made at its first; `None` for any other call.

        `statement` is the call of the kernel inside it, given the parameter that stands for each argument.
        """
        key = _alike(operation, call)
        if key not in self._shared:
            return None
        if key not in self._names:
            self._names[key] = name = f"{self._model}_k_{owner}"
            given = [i for i, argument in enumerate(call.arguments) if not isinstance(argument, Table)]
            parameters = {i: f"x{n}" for n, i in enumerate(given)}
            typed = [f"{_c_type(operation, call.arguments[i])} *{parameters[i]}" for i in given]
            head = wrap(typed, f"static LICHEN_ONE_COPY void {name}(", ")", indent=4)
            self._definitions.append(f"{head}\n{{\n{statement(parameters)}\n}}\n")
        return self._names[key]

    @property
    def text(self) -> str:
        """The definitions."""
        return "".join(f"\n{definition}" for definition in self._definitions)


def _alike(operation: Operation, call: KernelCall) -> object:
    def of(argument: Argument) -> object:
        if isinstance(argument, Table):
            return str(argument.data.dtype), argument.data.tobytes()
        if isinstance(argument, Scratch):
            return argument
        return type(argument), argument.rows, _c_type(operation, argument)

    return call.kernel, tuple(call.params.items()), tuple(map(of, call.arguments)), call.rows


def _c_type(operation: Operation, argument: Argument) -> str:
    if isinstance(argument, Table | Scratch):
        return "int8_t"
    values = operation.operands if isinstance(argument, Operand) else operation.results
    return C_TYPES[str(values[argument.index].type.dtype.numpy)]
