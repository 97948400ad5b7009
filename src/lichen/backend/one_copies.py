"""Kernels of which several layers share one copy, where flash is too short for each to have one of its own."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from lichen.backend.literals import C_TYPES, wrap
from lichen.backend.streamed import SUFFIXES
from lichen.ir.kernel import Argument, Coded, Decoded, KernelCall, Operand, Scratch, Table
from lichen.ir.module import Operation

_ELEMENTS = {suffix: C_TYPES[dtype] for dtype, suffix in SUFFIXES.items()}


class OneCopies:
    """One C function for each kernel that operations call which are not among the `specialised`; none if that is `None`.

    It is given the params like any argument, so that the compiler specialises it to no layer. There is one for whole layers, whose tensors
    are addresses, which takes less code at each call and no stack for views, and one for rows.
    """

    def __init__(self, model: str, specialised: Collection[str] | None) -> None:
        self._model = model
        self._specialised = specialised
        self._names: dict[tuple[str, bool, tuple[str, ...]], str] = {}
        self._definitions: list[str] = []
        self.functions: dict[str, str] = {}
        """The function that the call of each operation names, by the operation's name, where it is one of these."""

    def serves(self, operation: Operation, call: KernelCall) -> bool:
        """Whether such a function stands for the kernel."""
        is_special = self._specialised is None or operation.name in self._specialised
        return not is_special and bool(call.params)

    def name(self, operation: Operation, call: KernelCall, whole: bool) -> str:
        """The C function that a call names: the kernel, or the copy for many layers. `whole`: tensors are addresses, rows the number of all."""
        if not self.serves(operation, call):
            return f"lichen_{call.kernel}"
        types = tuple(_type(operation, argument) for argument in call.arguments)
        is_whole = whole and call.rows is not None
        key = call.kernel, is_whole, types
        if key not in self._names:
            base = f"{self._model}_any_{call.kernel}{'' if whole else '_rows'}"
            others = sum(name.startswith(base) for name in self._names.values())
            self._names[key] = name = f"{base}_{others + 1}" if others else base
            self._definitions.append(_definition(name, call, types, is_whole))
        self.functions[operation.name] = self._names[key]
        return self._names[key]

    @property
    def text(self) -> str:
        """The definitions."""
        return "".join(f"\n{definition}" for definition in self._definitions)


def _definition(name: str, call: KernelCall, types: Sequence[str], whole: bool) -> str:
    typed, passed = [f"const lichen_{call.kernel}_params *p"], ["p"]
    for index, c_type in enumerate(types):
        suffix = c_type.removeprefix("lichen_view_")
        is_address = whole and suffix != c_type
        parameter = f"{_ELEMENTS[suffix]} *" if is_address else c_type
        typed.append(f"{parameter}{'' if parameter.endswith('*') else ' '}x{index}")
        passed.append(f"lichen_rows_{suffix}(x{index}, LICHEN_ALL_ROWS)" if is_address else f"x{index}")
    if whole:
        typed.append("int rows")
        passed += ["0", "rows"]
    elif call.rows is not None:
        typed += ["int row_begin", "int row_end"]
        passed += ["row_begin", "row_end"]
    head = wrap(typed, f"static LICHEN_ONE_COPY void {name}(", ")", indent=4)
    body = wrap(passed, f"    lichen_{call.kernel}(", ");", indent=8)
    return f"{head}\n{{\n{body}\n}}\n"


def _type(operation: Operation, argument: Argument) -> str:
    if isinstance(argument, Scratch):
        return "int8_t *"
    if isinstance(argument, Coded):
        return "const lichen_coded *"
    if isinstance(argument, Decoded):
        return f"const {C_TYPES[argument.dtype]} *"
    if isinstance(argument, Table):
        return f"const {C_TYPES[str(argument.data.dtype)]} *"
    values = operation.operands if isinstance(argument, Operand) else operation.results
    dtype = str(values[argument.index].type.dtype.numpy)
    return f"lichen_view_{SUFFIXES[dtype]}" if argument.rows is not None else f"{C_TYPES[dtype]} *"
