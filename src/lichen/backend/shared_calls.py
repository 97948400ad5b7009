"""Kernel calls with a C function of their own: those that stand at several places of a model, as its frozen part does in `infer` and `learn`, are specialised once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from lichen.backend.literals import C_TYPES, wrap
from lichen.backend.program import Program, Step, StreamedStep
from lichen.backend.streamed import SUFFIXES
from lichen.ir.kernel import Argument, Coded, Decoded, KernelCall, Operand, Scratch, Table
from lichen.ir.module import Operation


class SharedCalls:
    """Which calls of `program` are shared, and the functions that were made of them so far; calls of the operations named in `own` get one,
    too.

    Calls are alike if kernel, shapes, tables and types are the same; where tensors lie is for the parameters. So is which rows are computed
    and kept, if any of the places is a stage of a region.
    """

    def __init__(self, program: Program, own: Collection[str] = ()) -> None:
        self._model = program.module.name
        steps = [step for planned in program.functions.values() for step in planned.steps]
        seen = Counter(_alike(*one) for step in steps for one in _calls(step))
        self._shared = {key for key, places in seen.items() if places > 1}
        self._shared |= {_alike(op, call) for step in steps for op, call in _calls(step) if op.name in own}
        self._by_rows = {_alike(*one) for step in steps if isinstance(step, StreamedStep) for one in _calls(step)}
        self._names: dict[object, str] = {}
        self._definitions: list[str] = []
        self.functions: dict[str, str] = {}
        """The C function of each operation that has one, by the operation's name."""

    def serves(self, operation: Operation, call: KernelCall) -> bool:
        """Whether a call has a function of its own."""
        return _alike(operation, call) in self._shared

    def takes_rows(self, operation: Operation, call: KernelCall) -> bool:
        """Whether the parameters of a call are views and a range of rows; if not, addresses of whole tensors."""
        key = _alike(operation, call)
        return key not in self._shared or key in self._by_rows

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
            self._definitions.append(self._definition(name, operation, call, statement))
        self.functions[operation.name] = self._names[key]
        return self._names[key]

    def _definition(
        self,
        name: str,
        operation: Operation,
        call: KernelCall,
        statement: Callable[[Mapping[int, str], Sequence[str]], str],
    ) -> str:
        by_rows = self.takes_rows(operation, call)
        typed: list[str] = []
        texts: dict[int, str] = {}
        for index, argument in enumerate(call.arguments):
            if isinstance(argument, Table | Coded):
                continue
            c_type, suffix, kept = _type(operation, argument)
            parameter = f"x{len(typed)}"
            is_view = kept is not None and by_rows
            typed.append(f"lichen_view_{suffix} {parameter}" if is_view else f"{c_type} *{parameter}")
            texts[index] = parameter if is_view or kept is None else f"lichen_rows_{suffix}({parameter}, {kept})"
        rows: tuple[str, ...] = ()
        if call.rows is not None:
            rows = ("row_begin", "row_end") if by_rows else ("0", str(call.rows))
            typed += [f"int {row}" for row in rows if by_rows]
        head = wrap(typed, f"static LICHEN_ONE_COPY void {name}(", ")", indent=4)
        return f"{head}\n{{\n{statement(texts, rows)}\n}}\n"

    @property
    def text(self) -> str:
        """The definitions."""
        return "".join(f"\n{definition}" for definition in self._definitions)


def _calls(step: Step | StreamedStep) -> Iterator[tuple[Operation, KernelCall]]:
    return zip(step.operations, step.calls, strict=True)


def _alike(operation: Operation, call: KernelCall) -> object:
    def of(argument: Argument) -> object:
        if isinstance(argument, Table):
            return str(argument.data.dtype), argument.data.tobytes()
        if isinstance(argument, Coded):
            codes = [code.table.tobytes() for code in (argument.values, argument.gaps) if code is not None]
            return argument.words.tobytes(), *codes, argument.escape, argument.channels
        if isinstance(argument, Decoded):
            return argument.offset, argument.dtype
        return type(argument), _type(operation, argument)

    return call.kernel, tuple(call.params.items()), tuple(map(of, call.arguments)), call.rows


def _type(operation: Operation, argument: Argument) -> tuple[str, str, int | None]:
    """The C type of an argument's elements, its suffix, and of how many rows it is a view."""
    if isinstance(argument, Decoded):
        return f"const {C_TYPES[argument.dtype]}", "", None
    if isinstance(argument, Table | Scratch | Coded):
        return "int8_t", "s8", None
    values = operation.operands if isinstance(argument, Operand) else operation.results
    dtype = str(values[argument.index].type.dtype.numpy)
    return C_TYPES[dtype], SUFFIXES.get(dtype, ""), argument.rows
