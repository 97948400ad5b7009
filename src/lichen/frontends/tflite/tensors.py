"""Tensors of a `.tflite` file as types and constants of the graph."""

from __future__ import annotations

from typing import NoReturn

from lichen.errors import InputError, UnsupportedError, VerifyError
from lichen.frontends.tflite.schema import TensorRecord
from lichen.ir.module import Constant, constant
from lichen.ir.types import MAX_RANK, DType, Quantisation, TensorType

DTYPES = {
    "FLOAT32": DType.FLOAT32,
    "INT8": DType.INT8,
    "UINT8": DType.UINT8,
    "INT16": DType.INT16,
    "INT32": DType.INT32,
    "INT64": DType.INT64,
    "BOOL": DType.BOOL,
}

# No activation of a network needs a step outside of these; the products and ratios of scales within them stay finite in float32.
SMALLEST_SCALE, LARGEST_SCALE = 2.0**-60, 2.0**60


def short_name(tensor: TensorRecord) -> str:
    """The first of the names that a converter joins with semicolons when it fuses layers."""
    return tensor.name.split(";")[0]


def tensor_type(tensor: TensorRecord) -> TensorType:
    """The type of a tensor. Raises `UnsupportedError` or `InputError` with its name."""

    def wrong(what: str) -> NoReturn:
        raise InputError(f"tensor '{tensor.name}': {what}")

    dtype = DTYPES.get(tensor.type)
    if dtype is None:
        raise UnsupportedError(f"tensor '{tensor.name}' is of type {tensor.type}; supported are {', '.join(DTYPES)}")
    if tensor.is_sparse:
        raise UnsupportedError(f"tensor '{tensor.name}' is sparse; only dense tensors are supported")
    if len(tensor.shape) > MAX_RANK:
        wrong(f"it has {len(tensor.shape)} dimensions where {MAX_RANK} are the most")
    _check_signature(tensor)
    try:
        return TensorType(tensor.shape, dtype, _quantisation(tensor, dtype))
    except VerifyError as error:
        wrong(str(error))


def _check_signature(tensor: TensorRecord) -> None:
    if not tensor.signature:
        return
    if len(tensor.signature) != len(tensor.shape):
        raise InputError(
            f"tensor '{tensor.name}': its shape has {len(tensor.shape)} dimensions, its signature another number"
        )
    for axis, (signed, size) in enumerate(zip(tensor.signature, tensor.shape, strict=True)):
        if signed == -1 and axis == 0:
            continue  # the batch; the shape says how many
        if signed == -1:
            raise UnsupportedError(
                f"tensor '{tensor.name}': dimension {axis} is dynamic; convert the model with fixed shapes"
            )
        if signed != size:
            raise InputError(
                f"tensor '{tensor.name}': dimension {axis} is {size} in its shape and {signed} in its signature"
            )


def _quantisation(tensor: TensorRecord, dtype: DType) -> Quantisation | None:
    # The scale of an int32 bias follows from its operator's other operands; converters write its axis as they please.
    record = tensor.quantization
    if record is None or dtype not in (DType.INT8, DType.UINT8, DType.INT16):
        return None
    if not all(SMALLEST_SCALE <= scale <= LARGEST_SCALE for scale in record.scale):
        raise VerifyError("a quantisation scale is not a usable number")
    if len(record.scale) == 1:
        return Quantisation.per_tensor(record.scale[0], record.zero_point[0])
    return Quantisation(record.scale, record.zero_point, record.axis)


def import_constant(tensor: TensorRecord, name: str) -> Constant:
    """A constant tensor. Raises `InputError` if its data do not fill its shape."""
    type_ = tensor_type(tensor)
    assert tensor.data is not None
    if len(tensor.data) != type_.bytes:
        raise InputError(
            f"tensor '{tensor.name}': its shape takes {type_.bytes} bytes of data but the file has {len(tensor.data)}"
        )
    if type_.dtype is DType.BOOL and (tensor.data > 1).any():
        raise InputError(f"tensor '{tensor.name}': a truth value is neither 0 nor 1")
    return constant(name, tensor.data.view(type_.dtype.numpy.newbyteorder("<")), type_)
