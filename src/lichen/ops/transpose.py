"""Transposition: the axes in another order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lichen.ir.gradient import Backward
from lichen.ir.module import Array, Operation, Value
from lichen.ir.operator import register, require
from lichen.ops.shapes import check_copied_type
from lichen.ops.strided_copy import Gather, StridedCopy
from lichen.ops.walk import contiguous_strides


@register
class Transpose(Gather):
    """x -> axis `permutation[i]` of x becomes axis i; any element type."""

    kind = "transpose"
    attributes = {"permutation": tuple}

    def check(self, operation: Operation) -> None:
        x, result = operation.operands[0].type, operation.results[0].type
        check_copied_type(x, result)
        permutation = operation.ints_attribute("permutation")
        require(
            sorted(permutation) == list(range(x.rank)), f"{permutation} is not a permutation of {x.rank} dimensions"
        )
        expected = [x.shape[axis] for axis in permutation]
        require(list(result.shape) == expected, f"the result must be {expected}, not {list(result.shape)}")

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        return (operands[0].transpose(operation.ints_attribute("permutation")).copy(),)

    def copy(self, operation: Operation) -> StridedCopy:
        strides = contiguous_strides(operation.operands[0].type.shape)
        return StridedCopy(0, tuple(strides[axis] for axis in operation.ints_attribute("permutation")))

    def gradient(
        self, operation: Operation, gradients: Sequence[Value | None], backward: Backward
    ) -> Mapping[int, Value]:
        (gradient,), (x,) = gradients, operation.operands
        assert gradient is not None
        permutation = operation.ints_attribute("permutation")
        inverse = tuple(permutation.index(axis) for axis in range(x.type.rank))
        return {0: backward.emit("transpose", [gradient], x.type, permutation=inverse)}
