"""Standardising by statistics that stay as they are."""

from __future__ import annotations

import numpy as np

from lichen.ir.accesses import Accesses, elementwise
from lichen.ir.kernel import Core, KernelCall, Result
from lichen.ir.module import Array, Operation
from lichen.ir.operator import Operator, register
from lichen.ir.types import DType
from lichen.ops.params import in_arena, int32_params
from lichen.ops.unquantised import check_plain


@register
class StandardScore(Operator):
    """x, $mean, $variance, all float32 of one shape -> `(x - mean) / sqrt(variance)`, 0 where the variance is 0.

    It reads what `standardise` keeps: for samples that are to be judged, not learned from. Within 1e-6 relative.
    """

    kind = "standard_score"
    operands = (3, 3)
    reads_state = frozenset({1, 2})

    def check(self, operation: Operation) -> None:
        shape = operation.operands[0].type.shape
        for value, role in zip(operation.operands, ("input", "mean", "variance"), strict=True):
            check_plain(value, role, DType.FLOAT32, shape)
        check_plain(operation.results[0], "result", DType.FLOAT32, shape)

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        x, mean, variance = operands
        return (score(x, mean, variance),)

    def accesses(self, operation: Operation) -> Accesses:
        return elementwise(operation.operands[0].type.elements, {0: 4, 1: 4, 2: 4}, 4)

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        params = int32_params(operation, features=operation.operands[0].type.elements)
        return KernelCall(
            "standard_score_f32",
            params,
            (in_arena(operation, 0), in_arena(operation, 1), in_arena(operation, 2), Result(0)),
        )


def score(x: Array, mean: Array, variance: Array) -> Array:
    """How many standard deviations `x` lies above the mean; 0 where there is no deviation yet."""
    with np.errstate(invalid="ignore", over="ignore"):
        return np.where(variance > 0, (x - mean) / np.sqrt(np.where(variance > 0, variance, 1)), 0).astype(np.float32)
