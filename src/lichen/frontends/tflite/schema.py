"""What a `.tflite` file says, as plain records. Fields are those of TensorFlow Lite's `schema.fbs`, in the order of their slots."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tflite

from lichen.errors import InputError, UnsupportedError
from lichen.frontends.tflite.flatbuffer import Flatbuffer, Table, damaged
from lichen.ir.module import Array

MODEL = (
    "version",
    "operator_codes",
    "subgraphs",
    "description",
    "buffers",
    "metadata_buffer",
    "metadata",
    "signature_defs",
)
OPERATOR_CODE = ("deprecated_builtin_code", "custom_code", "version", "builtin_code")
SUBGRAPH = ("tensors", "inputs", "outputs", "operators", "name", "debug_metadata_index")
TENSOR = (
    "shape",
    "type",
    "buffer",
    "name",
    "quantization",
    "is_variable",
    "sparsity",
    "shape_signature",
    "has_rank",
    "variant_tensors",
)
QUANTIZATION = ("min", "max", "scale", "zero_point", "details_type", "details", "quantized_dimension")
OPERATOR = (
    "opcode_index",
    "inputs",
    "outputs",
    "builtin_options_type",
    "builtin_options",
    "custom_options",
    "custom_options_format",
    "mutating_variable_inputs",
    "intermediates",
    "large_custom_options_offset",
    "large_custom_options_size",
    "builtin_options_2_type",
    "builtin_options_2",
    "debug_metadata_index",
)
BUFFER = ("data", "offset", "size")
METADATA = ("name", "buffer")

OPTIONS: dict[str, tuple[str, ...]] = {
    "Conv2DOptions": (
        "padding",
        "stride_w",
        "stride_h",
        "fused_activation_function",
        "dilation_w_factor",
        "dilation_h_factor",
        "quantized_bias_type",
    ),
    "DepthwiseConv2DOptions": (
        "padding",
        "stride_w",
        "stride_h",
        "depth_multiplier",
        "fused_activation_function",
        "dilation_w_factor",
        "dilation_h_factor",
    ),
    "FullyConnectedOptions": (
        "fused_activation_function",
        "weights_format",
        "keep_num_dims",
        "asymmetric_quantize_inputs",
        "quantized_bias_type",
    ),
    "Pool2DOptions": ("padding", "stride_w", "stride_h", "filter_width", "filter_height", "fused_activation_function"),
    "AddOptions": ("fused_activation_function", "pot_scale_int16"),
    "SubOptions": ("fused_activation_function", "pot_scale_int16"),
    "MulOptions": ("fused_activation_function",),
    "ReducerOptions": ("keep_dims",),
    "PadOptions": (),
    "PadV2Options": (),
    "ResizeNearestNeighborOptions": ("align_corners", "half_pixel_centers"),
    "SoftmaxOptions": ("beta",),
    "LeakyReluOptions": ("alpha",),
    "HardSwishOptions": (),
    "QuantizeOptions": (),
    "DequantizeOptions": (),
    "ReshapeOptions": ("new_shape",),
    "SqueezeOptions": ("squeeze_dims",),
    "ExpandDimsOptions": (),
    "ConcatenationOptions": ("axis", "fused_activation_function"),
    "SplitOptions": ("num_splits",),
    "StridedSliceOptions": ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask", "offset"),
    "TransposeOptions": (),
    "VarHandleOptions": ("container", "shared_name"),
    "ReadVariableOptions": (),
    "AssignVariableOptions": (),
    "CallOnceOptions": ("init_subgraph_index",),
}
"""The fields of the option tables of the operators that are supported."""


def _names(enumeration: type) -> dict[int, str]:
    return {number: name for name, number in vars(enumeration).items() if isinstance(number, int)}


BUILTIN_OPERATORS = _names(tflite.BuiltinOperator)
TENSOR_TYPES = _names(tflite.TensorType)
OPTION_TYPES = _names(tflite.BuiltinOptions)
ACTIVATIONS = _names(tflite.ActivationFunctionType)
PADDINGS = _names(tflite.Padding)

COMPRESSION_METADATA = (
    "COMPRESSION_METADATA"  # TensorFlow Lite Micro: constants are packed and need the metadata to be read
)


@dataclass(frozen=True)
class QuantizationRecord:
    """`scale` and `zero_point` have one element, or one per index of `axis`."""

    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int


@dataclass(frozen=True)
class TensorRecord:
    """One tensor; `data` is `None` unless it is constant. `type` is the name in the schema, such as `INT8`."""

    index: int
    name: str
    shape: tuple[int, ...]
    signature: tuple[int, ...]
    type: str
    buffer: int
    data: Array | None
    quantization: QuantizationRecord | None
    is_variable: bool
    is_sparse: bool


@dataclass(frozen=True)
class OperatorRecord:
    """One operator; -1 among the inputs is an optional one that is absent."""

    index: int
    builtin: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options_type: str
    options: Table | None
    has_other_options: bool

    @property
    def title(self) -> str:
        """What the operator is called in messages: its place in the model and its name in the schema."""
        return f"operator {self.index} ({self.builtin})"


@dataclass(frozen=True)
class SubgraphRecord:
    tensors: list[TensorRecord]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    operators: list[OperatorRecord]


def read_model(data: bytes) -> list[SubgraphRecord]:
    """The subgraphs of a file; the first is what runs. Raises `InputError` for a damaged file, `UnsupportedError` for a foreign one."""
    file = Flatbuffer(data, b"TFL3")
    model = file.root(MODEL)
    version = model.integer("version", "I")
    if version != 3:
        raise UnsupportedError(f"the model is of schema version {version}; only version 3 is supported")
    if any(entry.text("name") == COMPRESSION_METADATA for entry in model.tables("metadata", METADATA)):
        raise UnsupportedError("the model's constants are compressed; use the model as it was before compression")
    buffers = [_buffer(table) for table in model.tables("buffers", BUFFER)]
    codes = [_operator_code(table) for table in model.tables("operator_codes", OPERATOR_CODE)]
    subgraphs = [_subgraph(table, buffers, codes) for table in model.tables("subgraphs", SUBGRAPH)]
    if not subgraphs:
        raise InputError("the model has no graph")
    return subgraphs


def _buffer(table: Table) -> Array | None:
    if table.integer("offset", "Q") > 1 or table.integer("size", "Q") > 1:
        raise UnsupportedError("the model keeps constants outside of its tables, as models beyond 2 GB do")
    data = table.array("data", np.uint8)
    return data if data is not None and len(data) else None


def _operator_code(table: Table) -> tuple[str, int]:
    # Converters before 2020 wrote the first field only, which ends at 127; the larger one is meant.
    number = max(table.integer("deprecated_builtin_code", "b"), table.integer("builtin_code"))
    name = BUILTIN_OPERATORS.get(number, f"builtin {number}")
    if name == "CUSTOM":
        name = f"CUSTOM {printable(table.text('custom_code'))}"
    return name, table.integer("version", default=1)


def _subgraph(table: Table, buffers: list[Array | None], codes: list[tuple[str, int]]) -> SubgraphRecord:
    tensors = [_tensor(index, t, buffers) for index, t in enumerate(table.tables("tensors", TENSOR))]
    operators = [
        _operator(index, t, codes, len(tensors)) for index, t in enumerate(table.tables("operators", OPERATOR))
    ]
    inputs, outputs = table.integers("inputs"), table.integers("outputs")
    for role, indices in (("input", inputs), ("output", outputs)):
        if not all(0 <= i < len(tensors) for i in indices):
            damaged(f"an {role} of the graph is not one of its {len(tensors)} tensors")
    return SubgraphRecord(tensors, inputs, outputs, operators)


def _tensor(index: int, table: Table, buffers: list[Array | None]) -> TensorRecord:
    buffer, number = table.integer("buffer", "I"), table.integer("type", "b")
    if buffer >= len(buffers):
        damaged(f"tensor {index} is in buffer {buffer} of {len(buffers)}")
    return TensorRecord(
        index,
        printable(table.text("name")) or f"tensor {index}",
        table.integers("shape"),
        table.integers("shape_signature"),
        TENSOR_TYPES.get(number, f"type {number}"),
        buffer,
        buffers[buffer],
        _quantization(index, table.table("quantization", QUANTIZATION)),
        table.boolean("is_variable"),
        table.has("sparsity") or table.has("variant_tensors"),
    )


def _quantization(index: int, table: Table | None) -> QuantizationRecord | None:
    if table is None:
        return None
    if table.integer("details_type", "B"):
        raise UnsupportedError(
            f"tensor {index} is quantised in a way of its own; only scales and zero points are supported"
        )
    scale, zero_point = table.array("scale", np.float32), table.integers("zero_point", np.int64)
    scales = () if scale is None else tuple(scale.tolist())
    if len(scales) != len(zero_point):
        damaged(f"tensor {index} has {len(scales)} scales and {len(zero_point)} zero points")
    return QuantizationRecord(scales, zero_point, table.integer("quantized_dimension")) if scales else None


def _operator(index: int, table: Table, codes: list[tuple[str, int]], tensors: int) -> OperatorRecord:
    code = table.integer("opcode_index", "I")
    if code >= len(codes):
        damaged(f"operator {index} is of kind {code} of {len(codes)}")
    builtin, version = codes[code]
    inputs, outputs = table.integers("inputs"), table.integers("outputs")
    if not all(-1 <= i < tensors for i in inputs) or not all(0 <= i < tensors for i in outputs):
        damaged(f"operator {index} ({builtin}) uses a tensor beyond the graph's {tensors}")
    number = table.integer("builtin_options_type", "B")
    options_type = OPTION_TYPES.get(number, f"type {number}")
    return OperatorRecord(
        index,
        builtin,
        version,
        inputs,
        outputs,
        options_type,
        table.table("builtin_options", OPTIONS[options_type]) if options_type in OPTIONS else None,
        _has_other_options(table),
    )


def _has_other_options(table: Table) -> bool:
    """Whether an operator says more than its inputs, outputs and built-in options: custom ones, or tensors it keeps for itself."""
    return (
        bool(table.integers("custom_options", np.uint8))
        or table.integer("large_custom_options_offset", "Q") != 0
        or table.integer("builtin_options_2_type", "B") != 0
        or bool(table.integers("intermediates"))
        or any(table.integers("mutating_variable_inputs", np.uint8))
    )


def printable(text: str) -> str:
    """A name from a file as it may stand in a sentence: one line of at most 80 characters."""
    return "".join(c if c.isprintable() else "?" for c in text[:80])
