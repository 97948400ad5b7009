"""Slices: every n-th element of a range, along each axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lichen.errors import UnsupportedError
from lichen.ir.gradient import Backward
from lichen.ir.module import Array, Operation, Value
from lichen.ir.operator import register, require
from lichen.ops.shapes import check_copied_type
from lichen.ops.strided_copy import Gather, StridedCopy
from lichen.ops.walk import contiguous_strides


@register
class StridedSlice(Gather):
    """x -> the elements `begin, begin + stride, …` before `end` along each axis; any element type, as many dimensions as x.

    Strides are not zero. `begin` is an index that exists; going backwards, an `end` of -1 lies before the first element.
    """

    kind = "strided_slice"
    attributes = {"begin": tuple, "end": tuple, "strides": tuple}

    def check(self, operation: Operation) -> None:
        x, result = operation.operands[0].type, operation.results[0].type
        check_copied_type(x, result)
        bounds = [operation.ints_attribute(key) for key in ("begin", "end", "strides")]
        require(
            all(len(values) == x.rank for values in bounds),
            f"begin, end and strides must have {x.rank} numbers each, one for each dimension",
        )
        expected = []
        for axis, (begin, end, stride) in enumerate(zip(*bounds, strict=True)):
            where = f"{begin}:{end}:{stride} along axis {axis} of {x.shape[axis]}"
            require(stride != 0, f"{where}: the stride is zero")
            require(0 <= begin < x.shape[axis] and -1 <= end <= x.shape[axis], f"{where} leaves the tensor")
            extent = len(range(begin, end, stride))
            require(extent > 0, f"{where} is empty")
            expected.append(extent)
        require(list(result.shape) == expected, f"the result must be {expected}, not {list(result.shape)}")

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        bounds = zip(*(operation.ints_attribute(key) for key in ("begin", "end", "strides")), strict=True)
        # An end of -1 would count from the other side.
        slices = tuple(slice(begin, None if end < 0 else end, stride) for begin, end, stride in bounds)
        return (np.array(operands[0][slices]),)

    def copy(self, operation: Operation) -> StridedCopy:
        strides = contiguous_strides(operation.operands[0].type.shape)
        begin, steps = operation.ints_attribute("begin"), operation.ints_attribute("strides")
        start = sum(first * stride for first, stride in zip(begin, strides, strict=True))
        return StridedCopy(start, tuple(step * stride for step, stride in zip(steps, strides, strict=True)))

    def gradient(
        self, operation: Operation, gradients: Sequence[Value | None], backward: Backward
    ) -> Mapping[int, Value]:
        (gradient,), (x,) = gradients, operation.operands
        assert gradient is not None
        if set(operation.ints_attribute("strides")) != {1}:
            raise UnsupportedError(
                f"strided_slice '{operation.name}' leaves out elements and has no gradient; let learning begin behind it"
            )
        before, end = operation.ints_attribute("begin"), operation.ints_attribute("end")
        after = tuple(n - e for n, e in zip(x.type.shape, end, strict=True))
        return {0: backward.emit("pad", [gradient], x.type, before=before, after=after, value=0.0)}
