"""Padding with one value."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from lichen.ir.accesses import Accesses
from lichen.ir.gradient import Backward
from lichen.ir.kernel import Core, KernelCall, Operand, Result
from lichen.ir.module import Array, Constant, Operation, Value
from lichen.ir.operator import Operator, register, require
from lichen.ir.types import DType
from lichen.ops.attributes import check_same_quantisation, integers
from lichen.ops.params import int16_params, row_lengths

_RANK = 4  # of the kernel


@register
class Pad(Operator):
    """x of up to four dimensions -> the same with `before[i]` and `after[i]` further indices of dimension i, all `value`.

    `value` is a stored value: of an int8 tensor an integer, its zero point for a real 0.
    """

    kind = "pad"
    operands = (1, 1)
    attributes = {"before": tuple, "after": tuple, "value": float}

    def check(self, operation: Operation) -> None:
        source, result = operation.operands[0].type, operation.results[0].type
        require(not isinstance(operation.operands[0], Constant), "the input must not be constant")
        require(1 <= source.rank <= _RANK, f"cannot pad {list(source.shape)}: only one to {_RANK} dimensions")
        require(source.dtype in (DType.INT8, DType.FLOAT32), f"no padding of {source.dtype.value}: only i8 and f32")
        check_same_quantisation(source, result)
        before, after = (integers(operation, key, source.rank, 0) for key in ("before", "after"))
        expected = tuple(b + n + a for b, n, a in zip(before, source.shape, after, strict=True))
        require(result.shape == expected, f"the result must be {list(expected)}, not {list(result.shape)}")
        value = operation.float_attribute("value")
        if source.dtype is DType.INT8:
            require(-128 <= value <= 127 and value == int(value), f"value {value} is no int8")
        else:
            require(abs(value) <= float(np.finfo(np.float32).max), f"value {value} is no float32")

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        before, after = operation.ints_attribute("before"), operation.ints_attribute("after")
        value = operands[0].dtype.type(operation.float_attribute("value"))
        return (np.pad(operands[0], list(zip(before, after, strict=True)), constant_values=value),)

    def accesses(self, operation: Operation) -> Accesses:
        """One access a result pixel, in raster order: its channels are written, and read if it is not all padding."""
        shape, result, before = _four_dimensional(operation)
        size = operation.operands[0].type.dtype.size
        n, y, x = (
            index.ravel() - start
            for index, start in zip(np.indices(result[:3], dtype=np.int64), before[:3], strict=True)
        )
        inside = (n >= 0) & (n < shape[0]) & (y >= 0) & (y < shape[1]) & (x >= 0) & (x < shape[2])
        first = np.where(inside, ((n * shape[1] + y) * shape[2] + x) * shape[3], 0)
        reads = np.stack([first, first + np.where(inside, shape[3], 0)], axis=1) * size
        edges = np.arange(math.prod(result[:3]) + 1, dtype=np.int64) * result[3] * size
        return Accesses({0: reads}, {0: np.stack([edges[:-1], edges[1:]], axis=1)})

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        shape, result, before = _four_dimensional(operation)
        params = row_lengths(operation) | int16_params(
            operation,
            **dict(zip(("in_n", "in_h", "in_w", "in_c"), shape, strict=True)),
            **dict(zip(("out_h", "out_w", "out_c"), result[1:], strict=True)),
            **dict(zip(("before_n", "before_h", "before_w", "before_c"), before, strict=True)),
        )
        value = operation.float_attribute("value")
        is_float = operation.operands[0].type.dtype.is_float
        params["value"] = value if is_float else int(value)
        rows = result[0] * result[1]
        views = Operand(0, rows=shape[0] * shape[1]), Result(0, rows=rows)
        return KernelCall("pad_f32" if is_float else "pad_s8", params, views, rows=rows)

    def gradient(
        self, operation: Operation, gradients: Sequence[Value | None], backward: Backward
    ) -> Mapping[int, Value]:
        (gradient,), (x,) = gradients, operation.operands
        assert gradient is not None
        begin = operation.ints_attribute("before")
        end = tuple(b + n for b, n in zip(begin, x.type.shape, strict=True))
        return {0: backward.emit("strided_slice", [gradient], x.type, begin=begin, end=end, strides=(1,) * x.type.rank)}


def _four_dimensional(operation: Operation) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Shapes of operand and result, and `before`, as (n, h, w, c): what is missing stands in front."""
    source, result = operation.operands[0].type.shape, operation.results[0].type.shape
    missing = _RANK - len(source)
    ones = (1,) * missing
    return ones + source, ones + result, (0,) * missing + operation.ints_attribute("before")
