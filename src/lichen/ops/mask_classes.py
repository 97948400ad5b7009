"""Hides the classes that do not exist yet."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from lichen.ir.accesses import Accesses, elementwise
from lichen.ir.gradient import Backward
from lichen.ir.kernel import Core, KernelCall, Result
from lichen.ir.module import Array, Operation, Value
from lichen.ir.operator import Operator, register, require
from lichen.ir.types import DType
from lichen.ops.class_map import capacity_params, check_class_map
from lichen.ops.params import in_arena
from lichen.ops.unquantised import check_plain


@register
class MaskClasses(Operator):
    """x of `capacity` elements float32, $labels (capacity) int32 -> x, with `fill` where the neuron has no label; exact.

    Logits filled with `NO_SCORE` make softmax and its cross-entropy those of the classes that exist: the others get probability 0
    and no gradient, so a free neuron keeps its weights until its class appears.
    """

    kind = "mask_classes"
    operands = (2, 2)
    reads_state = frozenset({1})
    attributes = {"fill": float}

    def check(self, operation: Operation) -> None:
        x, labels = operation.operands
        capacity = check_class_map(labels)
        check_plain(x, "input", DType.FLOAT32)
        require(x.type.elements == capacity, f"{x.type.elements} values for a class map of {capacity}")
        check_plain(operation.results[0], "result", DType.FLOAT32, x.type.shape)
        require(
            math.isfinite(_fill(operation)),
            f"fill is {operation.float_attribute('fill')}, but must be a number of float32",
        )

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        x, labels = operands
        return (np.where(labels.reshape(x.shape) >= 0, x, _fill(operation)),)

    def accesses(self, operation: Operation) -> Accesses:
        return elementwise(operation.operands[0].type.elements, {0: 4, 1: 4}, 4)

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        params = capacity_params(operation, 1) | {"fill": float(_fill(operation))}
        return KernelCall("mask_classes_f32", params, (in_arena(operation, 0), in_arena(operation, 1), Result(0)))

    def gradient(
        self, operation: Operation, gradients: Sequence[Value | None], backward: Backward
    ) -> Mapping[int, Value]:
        """Only what passed has a gradient."""
        (gradient,) = gradients
        assert gradient is not None
        return {0: backward.emit(self.kind, [gradient, operation.operands[1]], operation.operands[0].type, fill=0.0)}


def _fill(operation: Operation) -> np.float32:
    with np.errstate(over="ignore"):
        return np.float32(operation.float_attribute("fill"))
