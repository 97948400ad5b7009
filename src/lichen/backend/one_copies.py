"""Kernels of which several layers share one copy, in a build for speed: where flash is short, not every layer has one of its own."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from lichen.backend.literals import C_TYPES, wrap
from lichen.backend.streamed import SUFFIXES
from lichen.ir.kernel import Argument, KernelCall, Operand, Scratch, Table
from lichen.ir.module import Operation


class OneCopies:
    """One C function for each kernel that operations call which are not among the `specialised`; none if that is `None`.

    It is given the params like any argument, so that the compiler specialises it to no layer.
    """

    def __init__(self, model: str, specialised: Collection[str] | None) -> None:
        self._model = model
        self._specialised = specialised
        self._names: dict[tuple[str, tuple[str, ...]], str] = {}
        self._definitions: list[str] = []

    def name(self, operation: Operation, call: KernelCall) -> str:
        """The C function that a call names: the kernel, which is inlined there, or the copy for many layers."""
        if self._specialised is None or operation.name in self._specialised or not call.params:
            return f"lichen_{call.kernel}"
        types = tuple(_type(operation, argument) for argument in call.arguments)
        key = call.kernel, types
        if key not in self._names:
            others = sum(kernel == call.kernel for kernel, _ in self._names)
            self._names[key] = name = f"{self._model}_any_{call.kernel}{f'_{others + 1}' if others else ''}"
            self._definitions.append(_definition(name, call, types))
        return self._names[key]

    @property
    def text(self) -> str:
        """The definitions."""
        return "".join(f"\n{definition}" for definition in self._definitions)


def _definition(name: str, call: KernelCall, types: Sequence[str]) -> str:
    typed = [f"const lichen_{call.kernel}_params *p"]
    typed += [f"{t}{'' if t.endswith('*') else ' '}x{i}" for i, t in enumerate(types)]
    passed = ["p", *(f"x{i}" for i in range(len(types)))]
    if call.rows is not None:
        typed += ["int row_begin", "int row_end"]
        passed += ["row_begin", "row_end"]
    head = wrap(typed, f"static LICHEN_ONE_COPY void {name}(", ")", indent=4)
    body = wrap(passed, f"    lichen_{call.kernel}(", ");", indent=8)
    return f"{head}\n{{\n{body}\n}}\n"


def _type(operation: Operation, argument: Argument) -> str:
    if isinstance(argument, Scratch):
        return "int8_t *"
    if isinstance(argument, Table):
        return f"const {C_TYPES[str(argument.data.dtype)]} *"
    values = operation.operands if isinstance(argument, Operand) else operation.results
    dtype = str(values[argument.index].type.dtype.numpy)
    return f"lichen_view_{SUFFIXES[dtype]}" if argument.rows is not None else f"{C_TYPES[dtype]} *"
