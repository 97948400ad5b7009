"""Resource variables of streaming models. They become the module's state; CALL_ONCE gives its initial values.

A variable that nothing initialises holds its zero point (0 if it is not quantised), as in TensorFlow Lite Micro.
"""

from __future__ import annotations

import numpy as np

from lichen.errors import InputError, UnsupportedError
from lichen.frontends.tflite.schema import OperatorRecord, SubgraphRecord, TensorRecord, printable
from lichen.frontends.tflite.tensors import import_constant, tensor_type
from lichen.ir.module import Array, Namer, State
from lichen.ir.types import TensorType

HANDLE_TYPES = ("RESOURCE", "INT32")


class Variables:
    """The variables of a model. A variable is known by its shared name, in operators by the tensor that holds its handle."""

    def __init__(self, subgraphs: list[SubgraphRecord], name: Namer) -> None:
        self._subgraphs, self._name = subgraphs, name
        self._handles: dict[int, str] = {}  # tensor of the main graph -> variable
        self._containers: dict[str, str] = {}
        self._initial: dict[str, tuple[TensorType, Array]] = {}
        self._states: dict[str, State] = {}
        self._called = {0}

    def define_handle(self, operator: OperatorRecord, tensor: TensorRecord) -> None:
        """VAR_HANDLE in the main graph."""
        self._handles[tensor.index] = self._variable(operator, tensor)

    def state(self, tensor: int, type_: TensorType, where: str) -> State:
        """The state behind a handle, which `where` reads or assigns as a tensor of `type_`."""
        variable = self._handles.get(tensor)
        if variable is None:
            raise InputError(f"{where}: its first input is not the handle of a variable")
        if variable not in self._states:
            zero = type_.zero_point if type_.quantisation is not None else 0
            default = type_, np.full(type_.shape, zero, type_.dtype.numpy)
            initial_type, data = self._initial.get(variable, default)
            self._states[variable] = State(self._name(variable), initial_type, data)
        state = self._states[variable]
        if state.type != type_:
            raise UnsupportedError(f"{where}: variable '{printable(variable)}' is used with two different types")
        return state

    def call_once(self, index: int, where: str) -> None:
        """Takes the initial values from subgraph `index`, which may only assign constants."""
        if not 0 < index < len(self._subgraphs):
            raise InputError(f"{where}: there is no subgraph {index} to initialise variables")
        if self._states:
            raise UnsupportedError(f"{where}: variables are initialised after their first use")
        self._called.add(index)
        subgraph = self._subgraphs[index]
        handles: dict[int, str] = {}
        for operator in subgraph.operators:
            place = f"{operator.title} of subgraph {index}"
            if operator.builtin == "VAR_HANDLE" and len(operator.outputs) == 1:
                tensor = subgraph.tensors[operator.outputs[0]]
                handles[tensor.index] = self._variable(operator, tensor)
            elif operator.builtin == "ASSIGN_VARIABLE" and len(operator.inputs) == 2:
                variable, tensor = handles.get(operator.inputs[0]), subgraph.tensors[operator.inputs[1]]
                if variable is None or tensor.data is None:
                    raise UnsupportedError(f"{place}: only constants may be assigned to variables at the start")
                self._initial[variable] = tensor_type(tensor), import_constant(tensor, "initial").data
            else:
                raise UnsupportedError(f"{place}: variables may only be initialised by ASSIGN_VARIABLE of constants")

    def finish(self) -> None:
        """Raises `UnsupportedError` for a subgraph that does not initialise variables."""
        for index in range(len(self._subgraphs)):
            if index not in self._called:
                raise UnsupportedError(
                    f"subgraph {index} is not the initialisation of variables; only one graph is supported"
                )

    def _variable(self, operator: OperatorRecord, handle: TensorRecord) -> str:
        if handle.type not in HANDLE_TYPES or any(size != 1 for size in handle.shape):
            raise InputError(f"{operator.title}: tensor '{handle.name}' cannot hold the handle of a variable")
        options = operator.options
        name, container = ("", "") if options is None else (options.text("shared_name"), options.text("container"))
        if self._containers.setdefault(name, container) != container:
            raise UnsupportedError(f"{operator.title}: variable '{printable(name)}' stands in two containers")
        return name
