"""The graph while it is being imported: tensors of the file become values, each defined once and before it is used."""

from __future__ import annotations

from lichen.errors import InputError, UnsupportedError
from lichen.frontends.tflite.schema import SubgraphRecord, TensorRecord
from lichen.frontends.tflite.tensors import import_constant, short_name, tensor_type
from lichen.frontends.tflite.variables import Variables
from lichen.ir.module import Constant, Function, Namer, Operation, Value
from lichen.ir.types import TensorType


class Graph:
    """The function `infer` under construction, and which value each tensor of the subgraph has become."""

    def __init__(self, subgraph: SubgraphRecord, subgraphs: list[SubgraphRecord]) -> None:
        self.subgraph = subgraph
        self.name = Namer()
        self.function = Function("infer", [], [], [])
        self.variables = Variables(subgraphs, self.name)
        self._values: dict[int, Value] = {}
        self._constants: dict[tuple[int, TensorType], Constant] = {}
        for index in subgraph.inputs:
            self.function.inputs.append(self.define(index))

    def finish(self) -> Function:
        """Resolves the outputs."""
        for index in self.subgraph.outputs:
            if index not in self._values:
                raise InputError(
                    f"output '{self.tensor(index).name}' of the model is not computed by any of its operators"
                )
            self.function.outputs.append(self._values[index])
        return self.function

    def tensor(self, index: int) -> TensorRecord:
        return self.subgraph.tensors[index]

    def value(self, index: int) -> Value:
        """The value of a tensor that an operator reads. Raises `InputError` if nothing has computed it yet."""
        if index in self._values:
            return self._values[index]
        tensor = self.tensor(index)
        if tensor.is_variable:
            raise UnsupportedError(
                f"tensor '{tensor.name}' is a variable of its operator; only resource variables are supported"
            )
        if tensor.data is None:
            raise InputError(f"the file is damaged: tensor '{tensor.name}' is used before it is computed")
        type_ = tensor_type(tensor)
        key = tensor.buffer, type_
        if key not in self._constants:
            self._constants[key] = import_constant(tensor, self.name(short_name(tensor)))
        return self._constants[key]

    def define(self, index: int) -> Value:
        """The new value of a tensor that is an input or the result of an operator."""
        tensor = self.tensor(index)
        self._require_new(tensor)
        value = self._values[index] = Value(self.name(short_name(tensor)), tensor_type(tensor))
        return value

    def bind(self, index: int, value: Value) -> None:
        """A tensor that is known without an operation."""
        self._require_new(self.tensor(index))
        self._values[index] = value

    def intermediate(self, index: int, type_: TensorType) -> Value:
        """A value that the file does not have, on the way to tensor `index`."""
        return Value(self.name(f"{short_name(self.tensor(index))} part"), type_)

    def append(self, operation: Operation) -> None:
        self.function.operations.append(operation)

    def _require_new(self, tensor: TensorRecord) -> None:
        if tensor.index in self._values or tensor.data is not None or tensor.is_variable:
            raise InputError(f"the file is damaged: tensor '{tensor.name}' has more than one source")
