"""Resizing of an image to that of its nearest pixels."""

from __future__ import annotations

import numpy as np

from lichen.ir.accesses import Accesses
from lichen.ir.kernel import Core, KernelCall, Operand, Result, Table
from lichen.ir.module import Array, Constant, Operation
from lichen.ir.operator import Operator, register, require
from lichen.ir.types import DType
from lichen.ops.attributes import check_same_quantisation
from lichen.ops.params import int16_params


@register
class ResizeNearest(Operator):
    """x (1, H, W, C) -> (1, H', W', C), the size being that of the result type. Values are copied, so int8 and float32 are exact."""

    kind = "resize_nearest"
    operands = (1, 1)
    attributes = {"align_corners": bool, "half_pixel_centers": bool}

    def check(self, operation: Operation) -> None:
        source, result = operation.operands[0].type, operation.results[0].type
        require(not isinstance(operation.operands[0], Constant), "the input must not be constant")
        for shape in (source.shape, result.shape):
            require(
                len(shape) == 4 and shape[0] == 1, f"images must be (1, height, width, channels), not {list(shape)}"
            )
        require(source.shape[3] == result.shape[3], f"{source.shape[3]} channels cannot become {result.shape[3]}")
        require(source.dtype in (DType.INT8, DType.FLOAT32), f"no resizing of {source.dtype.value}: only i8 and f32")
        check_same_quantisation(source, result)

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        rows, columns = _sources(operation)
        return (operands[0][:, rows[:, None], columns[None, :], :],)

    def accesses(self, operation: Operation) -> Accesses:
        """One access a result pixel, in raster order: its source is read, it is written."""
        source = operation.operands[0].type
        rows, columns = _sources(operation)
        pixel = source.shape[3] * source.dtype.size
        first = (rows[:, None] * source.shape[2] + columns[None, :]).ravel() * pixel
        edges = np.arange(len(first) + 1, dtype=np.int64) * pixel
        return Accesses({0: np.stack([first, first + pixel], axis=1)}, {0: np.stack([edges[:-1], edges[1:]], axis=1)})

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        (_, in_h, in_w, in_c), (_, out_h, out_w, _) = operation.operands[0].type.shape, operation.results[0].type.shape
        int16_params(operation, in_h=in_h, out_h=out_h)  # not members, but the tables hold them
        rows, columns = _sources(operation)
        return KernelCall(
            "resize_nearest_f32" if operation.results[0].type.dtype.is_float else "resize_nearest_s8",
            int16_params(operation, in_w=in_w, in_c=in_c, out_w=out_w),
            (
                Operand(0, rows=in_h),
                Result(0, rows=out_h),
                Table("row", rows.astype(np.int16)),
                Table("column", columns.astype(np.int16)),
            ),
            rows=out_h,
        )


def _sources(operation: Operation) -> tuple[Array, Array]:
    """The input row of each output row, and the input column of each output column."""
    source, result = operation.operands[0].type.shape, operation.results[0].type.shape
    corners, centers = (bool(operation.attributes[key]) for key in ("align_corners", "half_pixel_centers"))
    return _nearest(source[1], result[1], corners, centers), _nearest(source[2], result[2], corners, centers)


def _nearest(size: int, new_size: int, align_corners: bool, half_pixel_centers: bool) -> Array:
    """In float32, as TensorFlow Lite Micro does; rounding, halves away from zero, where corners are aligned, else floor."""
    if align_corners and new_size > 1:
        scale = np.float32(size - 1) / np.float32(new_size - 1)
    else:
        scale = np.float32(size) / np.float32(new_size)
    offset = np.float32(0.5 if half_pixel_centers else 0.0)
    position = ((np.arange(new_size).astype(np.float32) + offset) * scale).astype(np.float64)
    return np.minimum(np.floor(position + (0.5 if align_corners else 0.0)).astype(np.int64), size - 1)
