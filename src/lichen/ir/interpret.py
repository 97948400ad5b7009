"""The NumPy interpreter: what the chip must compute, one operation at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lichen.errors import InputError
from lichen.ir.module import Array, Constant, Function, Module, Operation, State, Value
from lichen.ir.operator import operator

Observer = Callable[[Operation, Sequence[Array]], None]


class Interpreter:
    """Runs a function of a module. State lives here from call to call, as it does in an instance on the chip."""

    def __init__(self, module: Module, function: str = "infer") -> None:
        self.module = module
        self.function: Function = module.functions[function]
        self.state: dict[State, Array] = {}
        self.reset()

    def reset(self) -> None:
        """State returns to its initial values."""
        self.state = {s: s.initial.copy() for s in self.module.states()}

    def run(self, inputs: Sequence[Array], observe: Observer | None = None) -> list[Array]:
        """One call. Each input has exactly its type's shape and element type, else `InputError`.

        `observe(operation, results)` is called after each operation.
        """
        if len(inputs) != len(self.function.inputs):
            raise InputError(f"{len(inputs)} inputs given where the model takes {len(self.function.inputs)}")
        values: dict[Value, Array] = {}
        for value, array in zip(self.function.inputs, inputs, strict=True):
            if array.shape != value.type.shape or array.dtype != value.type.dtype.numpy:
                raise InputError(
                    f"input '{value.name}' is {array.dtype} {list(array.shape)} where the model takes "
                    f"{value.type.dtype.numpy} {list(value.type.shape)}"
                )
            values[value] = array
        for op in self.function.operations:
            operands = [self._load(v, values) for v in op.operands]
            rule = operator(op.kind)
            computed = rule.evaluate(op, *operands)
            results, updated = computed[: len(op.results)], computed[len(op.results) :]
            for index, array in zip(sorted(rule.updates), updated, strict=True):
                target = op.operands[index]
                assert isinstance(target, State) and array.shape == target.type.shape
                assert array.dtype == target.type.dtype.numpy
                self.state[target] = array
            for value, array in zip(op.results, results, strict=True):
                assert array.shape == value.type.shape and array.dtype == value.type.dtype.numpy, (
                    op.kind,
                    array.shape,
                    array.dtype,
                )
                values[value] = array
            if observe is not None:
                observe(op, results)
        return [values[v] for v in self.function.outputs]

    def _load(self, value: Value, values: dict[Value, Array]) -> Array:
        if isinstance(value, Constant):
            return value.data
        if isinstance(value, State):
            return self.state[value]
        return values[value]
