"""Builds small `.tflite` models in memory and runs models with TensorFlow Lite Micro, the oracle of the integer arithmetic.

    graph = Graph()
    x = graph.input((1, 4, 4, 2), "int8", scale=0.5, zero_point=3)
    w = graph.constant(weights, scale=[0.1, 0.2], axis=0)         # one scale per index of axis 0
    y = graph.op("CONV_2D", [x, w], (1, 4, 4, 2), "int8", scale=0.7, zero_point=-4, options={"StrideH": 1, "StrideW": 1})
    model = build(graph.returns(y))
    [out] = tflm_run(model, [array])

Options are named as in the schema, in CamelCase; enumerations are given by name (`{"Padding": "SAME"}`).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
import tflite

TYPES = {
    "float32": tflite.TensorType.FLOAT32,
    "float16": tflite.TensorType.FLOAT16,
    "int8": tflite.TensorType.INT8,
    "uint8": tflite.TensorType.UINT8,
    "int16": tflite.TensorType.INT16,
    "int32": tflite.TensorType.INT32,
    "int64": tflite.TensorType.INT64,
    "bool": tflite.TensorType.BOOL,
    "resource": tflite.TensorType.RESOURCE,
    "string": tflite.TensorType.STRING,
}

# The table of options of an operator, where it is not the operator's name in CamelCase.
_OPTIONS = {
    "CONV_2D": "Conv2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "AVERAGE_POOL_2D": "Pool2DOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "MEAN": "ReducerOptions",
    "SUM": "ReducerOptions",
    "PADV2": "PadV2Options",
    "RELU": None,
    "RELU6": None,
    "RELU_N1_TO_1": None,
    "LOGISTIC": None,
    "TANH": None,
    "CUSTOM": None,
}

_ENUMERATIONS: dict[str, Any] = {
    "Padding": tflite.Padding,
    "FusedActivationFunction": tflite.ActivationFunctionType,
    "WeightsFormat": tflite.FullyConnectedOptionsWeightsFormat,
}


@dataclass
class Tensor:
    """One tensor of a graph; `index` is its place in the file."""

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: Sequence[float]
    zero_point: Sequence[int]
    axis: int
    data: np.ndarray | None = None
    signature: Sequence[int] | None = None
    is_variable: bool = False


@dataclass
class Op:
    """One operator of a graph."""

    builtin: str
    inputs: Sequence[Tensor | None]
    outputs: Sequence[Tensor]
    options: Mapping[str, Any]
    version: int = 1


@dataclass
class Graph:
    """A subgraph under construction."""

    name: str = "main"
    tensors: list[Tensor] = field(default_factory=list)
    ops: list[Op] = field(default_factory=list)
    inputs: list[Tensor] = field(default_factory=list)
    outputs: list[Tensor] = field(default_factory=list)

    def tensor(
        self,
        shape: Sequence[int],
        dtype: str,
        scale: float | Sequence[float] | None = None,
        zero_point: int | Sequence[int] = 0,
        axis: int = 0,
        **more: Any,
    ) -> Tensor:
        """Any tensor. `scale` is one number, a list for quantisation along `axis`, or `None`."""
        scales = [] if scale is None else [float(s) for s in np.atleast_1d(np.asarray(scale, np.float64))]
        zeros = [int(z) for z in np.atleast_1d(np.asarray(zero_point))]
        zeros = zeros * len(scales) if len(zeros) == 1 else zeros
        index = len(self.tensors)
        more.setdefault("name", f"tensor_{index}")
        self.tensors.append(Tensor(index, more.pop("name"), tuple(shape), dtype, scales, zeros, axis, **more))
        return self.tensors[-1]

    def input(self, shape: Sequence[int], dtype: str, *args: Any, **kwargs: Any) -> Tensor:
        """A tensor that is given at run time; arguments as for `tensor`."""
        self.inputs.append(self.tensor(shape, dtype, *args, **kwargs))
        return self.inputs[-1]

    def constant(self, data: Any, *args: Any, **kwargs: Any) -> Tensor:
        """A tensor with data; its shape and type are those of the array. Quantisation as for `tensor`."""
        array = np.asarray(data)
        return self.tensor(array.shape, array.dtype.name, *args, data=array, **kwargs)

    def op(
        self,
        builtin: str,
        inputs: Sequence[Tensor | None],
        shape: Sequence[int],
        dtype: str,
        *args: Any,
        options: Mapping[str, Any] | None = None,
        version: int = 1,
        **kwargs: Any,
    ) -> Tensor:
        """Adds an operator with one result, described as for `tensor`, and returns the result."""
        result = self.tensor(shape, dtype, *args, **kwargs)
        self.add(builtin, inputs, [result], options, version)
        return result

    def add(
        self,
        builtin: str,
        inputs: Sequence[Tensor | None],
        outputs: Sequence[Tensor],
        options: Mapping[str, Any] | None = None,
        version: int = 1,
    ) -> None:
        """Adds an operator with any number of results. `None` is an optional input that is absent."""
        self.ops.append(Op(builtin, inputs, outputs, options or {}, version))

    def returns(self, *outputs: Tensor) -> Graph:
        """States the outputs; returns the graph."""
        self.outputs = list(outputs)
        return self


def build(*graphs: Graph) -> bytes:
    """The graphs as one `.tflite` file; the first is what runs."""
    builder = flatbuffers.Builder(1024)
    codes: list[tuple[str, int]] = []
    buffers: list[bytes] = [b""]
    tables = [_graph(builder, graph, codes, buffers) for graph in graphs]
    buffer_tables = [_buffer(builder, data) for data in buffers]
    code_tables = [_operator_code(builder, name, version) for name, version in codes]
    description = builder.CreateString("built by a test")
    vectors = [
        _offsets(builder, code_tables),
        _offsets(builder, tables),
        _offsets(builder, buffer_tables),
    ]
    tflite.ModelStart(builder)
    tflite.ModelAddVersion(builder, 3)
    tflite.ModelAddOperatorCodes(builder, vectors[0])
    tflite.ModelAddSubgraphs(builder, vectors[1])
    tflite.ModelAddBuffers(builder, vectors[2])
    tflite.ModelAddDescription(builder, description)
    builder.Finish(tflite.ModelEnd(builder), b"TFL3")
    return bytes(builder.Output())


def single_op(
    builtin: str,
    inputs: Sequence[tuple[Sequence[int], str, float | None, int]],
    output: tuple[Sequence[int], str, float | None, int],
    options: Mapping[str, Any] | None = None,
    constants: Sequence[Callable[[Graph], Tensor]] = (),
    version: int = 1,
) -> bytes:
    """A model of one operator. Tensors are `(shape, dtype, scale, zero_point)`; constant operands, which follow the inputs, are
    functions of the graph: `lambda g: g.constant(...)`.
    """
    graph = Graph()
    operands = [graph.input(*description) for description in inputs] + [make(graph) for make in constants]
    return build(graph.returns(graph.op(builtin, operands, *output, options=options, version=version)))


ARENA_BYTES = 4 << 20


def tflm(model: bytes) -> Any:
    """An interpreter of TensorFlow Lite Micro, for models that keep state from call to call."""
    from tflite_micro import runtime

    return runtime.Interpreter.from_bytes(model, arena_size=ARENA_BYTES)


def tflm_run(model: bytes, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """One inference of TensorFlow Lite Micro on a fresh interpreter; all outputs."""
    interpreter = tflm(model)
    return tflm_invoke(interpreter, model, inputs)


def tflm_invoke(interpreter: Any, model: bytes, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """One more inference of an interpreter that `tflm` made from `model`; all outputs, copied."""
    for index, array in enumerate(inputs):
        interpreter.set_input(array, index)
    interpreter.invoke()
    outputs = tflite.Model.GetRootAs(model, 0).Subgraphs(0).OutputsLength()
    return [np.array(interpreter.get_output(index), copy=True) for index in range(outputs)]


def tflm_sequence(model: bytes, batches: Sequence[Sequence[np.ndarray]]) -> list[list[np.ndarray]]:
    """The outputs of inferences one after the other on one interpreter, which keeps state in between."""
    interpreter = tflm(model)
    return [tflm_invoke(interpreter, model, inputs) for inputs in batches]


# --- writing tables; children are written before their parents, as flatbuffers asks


def _graph(builder: flatbuffers.Builder, graph: Graph, codes: list[tuple[str, int]], buffers: list[bytes]) -> int:
    tensors = [_tensor(builder, tensor, buffers) for tensor in graph.tensors]
    ops = [_operator(builder, op, codes) for op in graph.ops]
    name = builder.CreateString(graph.name)
    vectors = [
        _offsets(builder, tensors),
        _ints(builder, [t.index for t in graph.inputs]),
        _ints(builder, [t.index for t in graph.outputs]),
        _offsets(builder, ops),
    ]
    tflite.SubGraphStart(builder)
    tflite.SubGraphAddTensors(builder, vectors[0])
    tflite.SubGraphAddInputs(builder, vectors[1])
    tflite.SubGraphAddOutputs(builder, vectors[2])
    tflite.SubGraphAddOperators(builder, vectors[3])
    tflite.SubGraphAddName(builder, name)
    return builder.EndObject()


def _tensor(builder: flatbuffers.Builder, tensor: Tensor, buffers: list[bytes]) -> int:
    name = builder.CreateString(tensor.name)
    shape = _ints(builder, tensor.shape)
    signature = None if tensor.signature is None else _ints(builder, tensor.signature)
    quantisation = _quantisation(builder, tensor) if tensor.scale else None
    buffer = 0
    if tensor.data is not None:
        buffer = len(buffers)
        buffers.append(tensor.data.tobytes())
    tflite.TensorStart(builder)
    tflite.TensorAddShape(builder, shape)
    tflite.TensorAddType(builder, TYPES[tensor.dtype])
    tflite.TensorAddBuffer(builder, buffer)
    tflite.TensorAddName(builder, name)
    tflite.TensorAddIsVariable(builder, tensor.is_variable)
    if quantisation is not None:
        tflite.TensorAddQuantization(builder, quantisation)
    if signature is not None:
        tflite.TensorAddShapeSignature(builder, signature)
    return builder.EndObject()


def _quantisation(builder: flatbuffers.Builder, tensor: Tensor) -> int:
    scale = builder.CreateNumpyVector(np.asarray(tensor.scale, np.float32))
    zero_point = builder.CreateNumpyVector(np.asarray(tensor.zero_point, np.int64))
    tflite.QuantizationParametersStart(builder)
    tflite.QuantizationParametersAddScale(builder, scale)
    tflite.QuantizationParametersAddZeroPoint(builder, zero_point)
    tflite.QuantizationParametersAddQuantizedDimension(builder, tensor.axis)
    return builder.EndObject()


def _operator(builder: flatbuffers.Builder, op: Op, codes: list[tuple[str, int]]) -> int:
    code = (op.builtin, op.version)
    if code not in codes:
        codes.append(code)
    inputs = _ints(builder, [-1 if t is None else t.index for t in op.inputs])
    outputs = _ints(builder, [t.index for t in op.outputs])
    table = options_table(op.builtin)
    options = None if table is None else _options(builder, table, op.options)
    tflite.OperatorStart(builder)
    tflite.OperatorAddOpcodeIndex(builder, codes.index(code))
    tflite.OperatorAddInputs(builder, inputs)
    tflite.OperatorAddOutputs(builder, outputs)
    if options is not None:
        tflite.OperatorAddBuiltinOptionsType(builder, getattr(tflite.BuiltinOptions, str(table)))
        tflite.OperatorAddBuiltinOptions(builder, options)
    return builder.EndObject()


def options_table(builtin: str) -> str | None:
    """The name of an operator's table of options."""
    if builtin in _OPTIONS:
        return _OPTIONS[builtin]
    return "".join(word.capitalize() for word in builtin.split("_")) + "Options"


def _options(builder: flatbuffers.Builder, table: str, options: Mapping[str, Any]) -> int:
    module = importlib.import_module(f"tflite.{table}")
    values = {}
    for key, value in options.items():
        if isinstance(value, str):
            enumeration = _ENUMERATIONS.get(key)
            values[key] = builder.CreateString(value) if enumeration is None else getattr(enumeration, value)
        elif isinstance(value, list | tuple):
            values[key] = _ints(builder, value)
        else:
            values[key] = value
    module.Start(builder)
    for key, value in values.items():
        getattr(module, f"Add{key}")(builder, value)
    return int(module.End(builder))


def _operator_code(builder: flatbuffers.Builder, builtin: str, version: int) -> int:
    number = getattr(tflite.BuiltinOperator, builtin)
    custom = builder.CreateString("TestCustom") if builtin == "CUSTOM" else None
    tflite.OperatorCodeStart(builder)
    tflite.OperatorCodeAddDeprecatedBuiltinCode(builder, min(number, 127))
    tflite.OperatorCodeAddBuiltinCode(builder, number)
    tflite.OperatorCodeAddVersion(builder, version)
    if custom is not None:
        tflite.OperatorCodeAddCustomCode(builder, custom)
    return builder.EndObject()


def _buffer(builder: flatbuffers.Builder, data: bytes) -> int:
    vector = None
    if data:
        builder.StartVector(1, len(data), 16)  # data are read in place, as elements of any size
        builder.head -= len(data)
        builder.Bytes[builder.head : builder.head + len(data)] = data
        vector = builder.EndVector()
    tflite.BufferStart(builder)
    if vector is not None:
        tflite.BufferAddData(builder, vector)
    return builder.EndObject()


def _ints(builder: flatbuffers.Builder, values: Sequence[int]) -> int:
    return int(builder.CreateNumpyVector(np.asarray(values, np.int32)))


def _offsets(builder: flatbuffers.Builder, offsets: Sequence[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())
