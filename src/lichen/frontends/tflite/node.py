"""One operator of the file while it is being imported: what a rule sees of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from lichen.errors import InputError, LichenError, UnsupportedError
from lichen.frontends.tflite.graph import Graph
from lichen.frontends.tflite.schema import ACTIVATIONS, OperatorRecord
from lichen.frontends.tflite.tensors import short_name, tensor_type
from lichen.ir.module import Array, Attribute, Constant, Operation, Value, constant
from lichen.ir.operator import operator
from lichen.ir.types import DType, TensorType
from lichen.ir.verify import verify_operation


class Node:
    """An operator and the graph it is imported into. Rules read operands and options from it, and emit operations."""

    def __init__(self, record: OperatorRecord, graph: Graph) -> None:
        self.record, self.graph = record, graph

    @property
    def where(self) -> str:
        """The operator's place in the model, for messages."""
        outputs = self.record.outputs
        return f"{self.record.title}, '{self.graph.tensor(outputs[0]).name}'" if outputs else self.record.title

    def unsupported(self, what: str) -> NoReturn:
        raise UnsupportedError(f"{self.where}: {what}")

    def contradiction(self, what: str) -> NoReturn:
        raise InputError(f"{self.where}: {what}")

    # --- operands

    def has(self, index: int) -> bool:
        """Whether an optional input is present."""
        return index < len(self.record.inputs) and self.record.inputs[index] >= 0

    def operand(self, index: int) -> Value:
        if not self.has(index):
            self.contradiction(f"input {index} is missing")
        return self.graph.value(self.record.inputs[index])

    def operands(self) -> list[Value]:
        """All inputs; none may be missing."""
        return [self.operand(i) for i in range(len(self.record.inputs))]

    def constant(self, index: int, role: str) -> Array:
        """The data of an input that must be known at compile time, such as the axes of a reduction."""
        value = self.operand(index)
        if not isinstance(value, Constant):
            self.unsupported(f"its {role} are computed by the model; only constants are supported")
        return value.data

    def integers(self, index: int, role: str) -> tuple[int, ...]:
        """A constant input of int32, flattened. TensorFlow Lite Micro takes int64 nowhere, and misreads it here and there."""
        dtype = self.operand(index).type.dtype
        if dtype is not DType.INT32:
            self.unsupported(f"its {role} are of type {dtype.value}; only i32 is supported")
        return tuple(int(v) for v in self.constant(index, role).ravel())

    def axis(self, axis: int, rank: int) -> int:
        """An axis that may count from the end, as an index from the start."""
        if not -rank <= axis < rank:
            self.contradiction(f"axis {axis} does not exist in {rank} dimensions")
        return axis % rank

    # --- options

    def option(self, field: str, form: str = "i", default: int = 0) -> int:
        options = self.record.options
        return default if options is None else options.integer(field, form, default)

    def flag(self, field: str) -> bool:
        options = self.record.options
        return options is not None and options.boolean(field)

    def real_option(self, field: str) -> float:
        options = self.record.options
        return 0.0 if options is None else options.real(field)

    def activation(self) -> str:
        """The fused activation as our attribute."""
        number = self.option("fused_activation_function", "b")
        name = ACTIVATIONS.get(number, f"activation {number}")
        if name not in ("NONE", "RELU", "RELU6", "RELU_N1_TO_1"):
            self.unsupported(f"a fused {name} is not supported")
        return name.lower()

    # --- results

    def result_type(self, index: int = 0) -> TensorType:
        return tensor_type(self.graph.tensor(self.record.outputs[index]))

    def emit(self, kind: str, operands: Sequence[Value], attributes: dict[str, Attribute] | None = None) -> None:
        """An operation whose results are those of the operator."""
        results = [self.graph.define(i) for i in self.record.outputs]
        self._append(Operation(kind, list(operands), results, attributes or {}))

    def emit_part(
        self, kind: str, operands: Sequence[Value], attributes: dict[str, Attribute], type_: TensorType
    ) -> Value:
        """An operation on the way to the operator's result; its own result is of `type_`."""
        result = self.graph.intermediate(self.record.outputs[0], type_)
        self._append(Operation(kind, list(operands), [result], attributes))
        return result

    def fold(self, kind: str, operands: Sequence[Constant]) -> None:
        """Makes the operator's one result a constant, by evaluating an operation without attributes now."""
        name, type_ = short_name(self.graph.tensor(self.record.outputs[0])), self.result_type()
        operation = Operation(kind, list(operands), [Value("folded", type_)])
        self._verify(operation)
        [data] = operator(kind).evaluate(operation, *(v.data for v in operands))
        self.graph.bind(self.record.outputs[0], constant(self.graph.name(name), data, type_))

    def _append(self, operation: Operation) -> None:
        self._verify(operation)
        self.graph.append(operation)

    def _verify(self, operation: Operation) -> None:
        try:
            verify_operation(operation, self.where)
        except UnsupportedError as error:
            raise UnsupportedError(f"{self.where}: {error}") from error
        except LichenError as error:
            raise InputError(str(error)) from error
