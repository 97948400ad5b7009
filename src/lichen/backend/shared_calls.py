"""Kernel calls that stand at several places of a model, as those of its frozen part do in `infer` and `learn`: one C function each, specialised once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from lichen.backend.literals import C_TYPES, wrap
from lichen.backend.program import Program
from lichen.backend.streamed import SUFFIXES
from lichen.ir.kernel import Argument, KernelCall, Operand, Scratch, Table
from lichen.ir.module import Operation

_ROWS = ("row_begin", "row_end")


class SharedCalls:
    """Which calls of `program` are shared, and the functions that were made of them so far.

    Calls are alike if kernel, shapes, tables and types are the same. Where tensors lie, and which rows are computed, is for the parameters.
    """

    def __init__(self, program: Program) -> None:
        self._model = program.module.name
        steps = (step for planned in program.functions.values() for step in planned.steps)
        seen = Counter(
            _alike(operation, call)
            for step in steps
            for operation, call in zip(step.operations, step.calls, strict=True)
        )
        self._shared = {key for key, places in seen.items() if places > 1}
        self._names: dict[object, str] = {}
        self._definitions: list[str] = []

    def name(
        self,
        owner: str,
        operation: Operation,
        call: KernelCall,
        statement: Callable[[Mapping[int, str], Sequence[str]], str],
    ) -> str | None:
        """The C function of a shared call, made at its first; `None` for any other call.

        `statement` is the call of the kernel inside it, given what stands for each argument by its index and for the range of rows.
        """
        key = _alike(operation, call)
        if key not in self._shared:
            return None
        if key not in self._names:
            self._names[key] = name = f"{self._model}_k_{owner}"
            given = [i for i, argument in enumerate(call.arguments) if not isinstance(argument, Table)]
            parameters = {i: f"x{n}" for n, i in enumerate(given)}
            rows = () if call.rows is None else _ROWS
            typed = [f"{_c_type(operation, call.arguments[i])}{parameters[i]}" for i in given]
            head = wrap(
                [*typed, *(f"int {row}" for row in rows)], f"static LICHEN_ONE_COPY void {name}(", ")", indent=4
            )
            self._definitions.append(f"{head}\n{{\n{statement(parameters, rows)}\n}}\n")
        return self._names[key]

    @property
    def text(self) -> str:
        """The definitions."""
        return "".join(f"\n{definition}" for definition in self._definitions)


def _alike(operation: Operation, call: KernelCall) -> object:
    def of(argument: Argument) -> object:
        if isinstance(argument, Table):
            return str(argument.data.dtype), argument.data.tobytes()
        return type(argument), _c_type(operation, argument)

    return call.kernel, tuple(call.params.items()), tuple(map(of, call.arguments))


def _c_type(operation: Operation, argument: Argument) -> str:
    """The type of a parameter, up to where its name begins."""
    if isinstance(argument, Table | Scratch):
        return "int8_t *"
    values = operation.operands if isinstance(argument, Operand) else operation.results
    dtype = str(values[argument.index].type.dtype.numpy)
    return f"{C_TYPES[dtype]} *" if argument.rows is None else f"lichen_view_{SUFFIXES[dtype]} "
