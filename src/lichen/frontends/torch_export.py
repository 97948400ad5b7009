"""Reads `torch.export` programs, in float32 or quantised by PT2E.

Images become NHWC: a function input or output of four dimensions (1, C, H, W) is (1, H, W, C) in the graph, and so is state. A signal
(1, C, L) that goes into a one-dimensional convolution or pooling is an image (1, 1, L, C). All other inputs and outputs keep
PyTorch's shape.

A quantised program keeps its structure: `quantize` and `dequantize` around float operators. `lichen.passes.integerize` makes int8
operators of them.
"""

from __future__ import annotations

import operator as python_operator
from pathlib import Path
from typing import Any

import torch

# Registers the operators of quantised programs.
from torch.ao.quantization.fx._decomposed import quantized_decomposed_lib  # noqa: F401
from torch.export import ExportedProgram
from torch.export.graph_signature import ExportGraphSignature, InputKind, InputSpec, OutputKind
from torch.fx import Node

import lichen.frontends.aten
import lichen.ops  # noqa: F401  (registers the operators that the verifier asks for)
from lichen.errors import InputError, LichenError, UnsupportedError
from lichen.frontends.aten.builder import LOWERINGS, Builder, Call
from lichen.frontends.aten.tensor import CHANNELS_LAST, CHANNELS_LAST_1D, Layout, QuantisedConstant, Tensor, identity
from lichen.frontends.pt2_archive import read_program
from lichen.ir.module import Function, Module, Operation, State, Value, identifier
from lichen.ir.types import MAX_ELEMENTS, DType, TensorType
from lichen.ir.verify import verify
from lichen.nn.module_path import module_path
from lichen.nn.quiet import quiet


def load_pt2(path: str | Path, name: str | None = None) -> Module:
    """The program in a file written by `torch.export.save`, as a verified module called `name` (or after the file).

    The file is not trusted. Raises `InputError` for a damaged one, `UnsupportedError` as `from_exported_program` does; both begin
    with the file's name.
    """
    path = Path(path)
    try:
        return from_exported_program(read_program(path), name or path.stem)
    except LichenError as error:
        raise type(error)(f"{path.name}: {error}") from error


def from_exported_program(program: ExportedProgram, name: str) -> Module:
    """The program as a verified module with the function `infer`.

    Raises `UnsupportedError`, naming the ATen operator and its place in the model, for what Lichen does not have; dynamic shapes
    and batches are among it.
    """
    try:
        with quiet(), torch.no_grad():
            functional = program.run_decompositions({})
    except Exception as error:  # whatever a program that is not what it claims runs into
        raise InputError(f"the program cannot be brought into functional form: {type(error).__name__}") from error
    module = Module(identifier(name))
    module.functions["infer"] = _Reader(functional).read()
    verify(module)
    return module


class _Reader:
    """Lowers one program, node by node."""

    def __init__(self, program: ExportedProgram) -> None:
        self.program = program
        self.function = Function("infer", [], [], [])
        self.builder = Builder(self.function)
        self.values: dict[Node, Any] = {}
        self.states: dict[str, Tensor] = {}  # by the buffer's name; the values are of type State

    def read(self) -> Function:
        signature = self.program.graph_signature
        specs = {spec.arg.name: spec for spec in signature.input_specs if hasattr(spec.arg, "name")}
        for node in self.program.graph.nodes:
            try:
                self._read(node, specs, signature)
            except LichenError as error:
                raise type(error)(f"{_place(node)}: {error}") from error
            except _SENSELESS as error:
                raise UnsupportedError(f"{_place(node)}: its arguments are not supported ({error})") from error
        if not self.function.inputs:
            raise UnsupportedError("the program takes no tensor")
        return self.function

    def _read(self, node: Node, specs: dict[str, InputSpec], signature: ExportGraphSignature) -> None:
        if node.op == "placeholder":
            self.values[node] = self._placeholder(node, specs[node.name], signature)
        elif node.op == "call_function":
            self.values[node] = self._call(node)
        elif node.op == "output":
            self._output(node, signature)
        else:
            raise UnsupportedError(f"a node of kind {node.op} is not supported")

    # --- what goes in

    def _placeholder(self, node: Node, spec: InputSpec, signature: ExportGraphSignature) -> Any:
        if spec.kind is InputKind.USER_INPUT:
            return self._input(node)
        target = spec.target or ""
        if spec.kind is InputKind.BUFFER and target in signature.buffers_to_mutate.values():
            return self._state(node, target)
        if spec.kind in (InputKind.PARAMETER, InputKind.BUFFER, InputKind.CONSTANT_TENSOR):
            sources = (self.program.state_dict, self.program.constants)
            data = next((source[target] for source in sources if target in source), None)
            if isinstance(data, torch.Tensor):
                return data.detach().to("cpu").contiguous()
        raise UnsupportedError(f"an input of kind {spec.kind.name.lower()} is not supported")

    def _input(self, node: Node) -> Tensor:
        shape = _shape(node.meta.get("val"))
        if not shape or shape[0] != 1:
            raise UnsupportedError(
                f"input '{node.name}' has shape {list(shape)}; export the model with an example whose leading dimension is 1, one sample"
            )
        dtype = node.meta["val"].dtype
        if dtype is not torch.float32:
            raise UnsupportedError(f"input '{node.name}' is of {dtype}; only float32 is supported")
        layout = _input_layout(node, shape)
        sizes = tuple(1 if d is None else shape[d] for d in layout)
        value = Value(self.builder.named(node.name), TensorType(sizes, DType.FLOAT32))
        self.function.inputs.append(value)
        return Tensor(value, shape, layout)

    def _state(self, node: Node, target: str) -> Tensor:
        """A buffer that the program writes: state, read where the program begins."""
        data = self.program.state_dict.get(target, self.program.constants.get(target))
        if not isinstance(data, torch.Tensor) or data.dtype is not torch.float32:
            raise UnsupportedError(f"buffer '{target}' is written but is no float32 tensor; only those can be state")
        shape = tuple(data.shape)
        layout = _input_layout(node, shape)
        arranged = Tensor(Value("", TensorType(shape, DType.FLOAT32)), shape, layout)
        initial = self.builder.like(data.detach().to("cpu").numpy(), arranged).copy()
        type_ = TensorType(initial.shape, DType.FLOAT32)
        state = State(self.builder.named(target), type_, initial)
        self.states[target] = Tensor(state, shape, layout)
        self.builder.name = target
        return Tensor(self.builder.emit("read_state", [state], type_.shape), shape, layout)

    # --- what is computed

    def _call(self, node: Node) -> Any:
        if node.target is python_operator.getitem:
            return self.values[node.args[0]][node.args[1]]  # type: ignore[index]
        if not isinstance(node.target, torch._ops.OpOverload):
            raise UnsupportedError("only ATen operators are supported")
        arguments = self._arguments(node)
        lowering = LOWERINGS.get(str(node.target))
        is_computed = any(isinstance(v, Tensor) for v in _flat(list(arguments.values())))
        if not is_computed and node.target.namespace == "aten":
            return self._folded(node, arguments)
        if lowering is None:
            raise UnsupportedError("this operator is not supported")
        self.builder.name = _layer(node)
        return lowering(self.builder, Call(node, arguments, _shape(node.meta.get("val"))))

    def _arguments(self, node: Node) -> dict[str, Any]:
        """Arguments by the names of the operator's schema, defaults included."""
        assert isinstance(node.target, torch._ops.OpOverload)
        given = dict(node.kwargs)
        schema = node.target._schema.arguments
        given |= {argument.name: value for argument, value in zip(schema, node.args, strict=False)}
        return {a.name: self._resolved(given.get(a.name, a.default_value)) for a in schema}

    def _resolved(self, argument: Any) -> Any:
        if isinstance(argument, Node):
            return self.values[argument]
        if isinstance(argument, list | tuple):
            return [self._resolved(item) for item in argument]
        if isinstance(argument, torch.SymInt):
            raise UnsupportedError(_DYNAMIC)
        return argument

    def _folded(self, node: Node, arguments: dict[str, Any]) -> Any:
        """An operator on constants alone: PyTorch computes it."""
        _shape(node.meta.get("val"))  # refuses what would be too large

        def real(value: Any) -> Any:
            return torch.from_numpy(value.real) if isinstance(value, QuantisedConstant) else value

        assert isinstance(node.target, torch._ops.OpOverload)
        given = {a.name: real(arguments[a.name]) for a in node.target._schema.arguments}
        positional = [given[a.name] for a in node.target._schema.arguments if not a.kwarg_only]
        keywords = {a.name: given[a.name] for a in node.target._schema.arguments if a.kwarg_only}
        return node.target(*positional, **keywords)

    # --- what comes out

    def _output(self, node: Node, signature: ExportGraphSignature) -> None:
        (results,) = node.args
        assert isinstance(results, list | tuple)
        for argument, spec in zip(results, signature.output_specs, strict=True):
            tensor = self.values[argument] if isinstance(argument, Node) else None
            if not isinstance(tensor, Tensor):
                raise UnsupportedError("an output does not depend on the input; return computed tensors only")
            if spec.kind is OutputKind.USER_OUTPUT:
                self.builder.name = "output"
                layout = CHANNELS_LAST if tensor.rank == 4 else identity(tensor.rank)
                self.function.outputs.append(self.builder.arranged(tensor, layout).value)
            elif spec.kind is OutputKind.BUFFER_MUTATION:
                state = self.states[spec.target or ""]
                self.builder.name = state.value.name
                value = self.builder.arranged(tensor, state.layout).value
                self.function.operations.append(Operation("write_state", [state.value, value], []))
            else:
                raise UnsupportedError(f"an output of kind {spec.kind.name.lower()} is not supported")


# What arguments lead to that no export writes, but a file may hold.
_SENSELESS = (KeyError, IndexError, TypeError, ValueError, AttributeError, AssertionError, RuntimeError)

_DYNAMIC = "its shape is dynamic; export the model without dynamic_shapes, for one sample of fixed size"

_SIGNAL_OPERATORS = {"conv1d", "max_pool1d", "avg_pool1d", "adaptive_avg_pool1d"}
_LAYOUT_KEEPING = {
    *("quantize_per_tensor", "dequantize_per_tensor", "cat", "slice", "constant_pad_nd", "pad", "clone", "dropout"),
    *("add", "sub", "mul", "relu", "batch_norm", "_native_batch_norm_legit_no_training"),
}


def _input_layout(node: Node, shape: tuple[int, ...]) -> Layout:
    """Images are NHWC; so are signals, if the program convolves or pools them."""
    if len(shape) == 4:
        return CHANNELS_LAST
    if len(shape) == 3 and _is_signal(node):
        return CHANNELS_LAST_1D
    return identity(len(shape))


def _is_signal(node: Node) -> bool:
    """Whether the tensor reaches a one-dimensional convolution or pooling through operators that keep its dimensions."""
    waiting, seen = [node], {node}
    while waiting:
        for user in waiting.pop().users:
            name = getattr(user.target, "_opname", "getitem" if user.target is python_operator.getitem else "")
            if name in _SIGNAL_OPERATORS or (name == "convolution" and len(_shape(user.meta.get("val"))) == 3):
                return True
            if (name in _LAYOUT_KEEPING or name == "getitem") and user not in seen:
                seen.add(user)
                waiting.append(user)
    return False


def _shape(value: Any) -> tuple[int, ...]:
    """The static shape of a node's (first) result. Raises `UnsupportedError` for a dynamic or an absurdly large one."""
    first = value[0] if isinstance(value, list | tuple) and value else value
    if not isinstance(first, torch.Tensor):
        raise UnsupportedError("its result is not a tensor")
    if not all(type(size) is int for size in first.shape):
        raise UnsupportedError(_DYNAMIC)
    if first.numel() > MAX_ELEMENTS:
        raise UnsupportedError(f"its result {list(first.shape)} is far too large for a microcontroller")
    return tuple(first.shape)


def _layer(node: Node) -> str:
    """What results are called: after the layer, and in modules of several operations after the operation too."""
    path, kind = module_path(node)
    if path and kind.startswith("torch.nn.modules"):
        return path
    return f"{path}_{node.name}" if path else node.name


def _place(node: Node) -> str:
    path, kind = module_path(node)
    target = str(node.target) if node.op == "call_function" else node.op
    return f"{target} '{node.name}'" + (f" in module '{path}' ({kind.rpartition('.')[2]})" if path else "")


def _flat(values: list[Any]) -> list[Any]:
    return [item for value in values for item in (_flat(value) if isinstance(value, list) else [value])]
