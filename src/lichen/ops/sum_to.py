"""Sum over what was broadcast: the gradient of broadcasting."""

from __future__ import annotations

import numpy as np

from lichen.ir.kernel import Core, KernelCall, Result
from lichen.ir.module import Array, Operation
from lichen.ir.operator import Operator, register, require
from lichen.ops.parameter_update import check_float
from lichen.ops.params import in_arena, int16_params, int32_params
from lichen.ops.walk import Walk, broadcast_strides, contiguous_strides


@register
class SumTo(Operator):
    """x -> factor times the sum of all elements that an element of the result is broadcast to.

    The result has a shape that NumPy broadcasts to that of x. float32: within 1e-5 of the sum of magnitudes.
    """

    kind = "sum_to"
    operands = (1, 1)
    attributes = {"factor": float}

    def check(self, operation: Operation) -> None:
        check_float(operation)
        x, result = operation.operands[0].type.shape, operation.results[0].type.shape
        check_broadcast(result, x)
        require(abs(operation.float_attribute("factor")) <= float(np.finfo(np.float32).max), "factor is no float32")

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        shape, factor = operation.results[0].type.shape, np.float32(operation.float_attribute("factor"))
        x = operands[0].astype(np.float64)
        padded = (1,) * (x.ndim - len(shape)) + shape
        axes = tuple(i for i, n in enumerate(padded) if n == 1)
        with np.errstate(over="ignore"):
            return ((x.sum(axis=axes, keepdims=True) * factor).reshape(shape).astype(np.float32),)

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        x, result = operation.operands[0].type, operation.results[0].type
        walk = Walk.over(x.shape, [contiguous_strides(x.shape), broadcast_strides(result.shape, x.shape)])
        params = int32_params(operation, rows=walk.rows, inner=walk.inner, results=result.elements)
        params |= int16_params(operation, dimensions=len(walk.extents), step=walk.inner_steps[1])
        params["factor"] = float(np.float32(operation.float_attribute("factor")))
        return KernelCall("sum_to_f32", params, (in_arena(operation, 0), Result(0), walk.geometry))


def check_broadcast(narrow: tuple[int, ...], wide: tuple[int, ...]) -> None:
    """Raises `VerifyError` unless a tensor of shape `narrow` is broadcast to `wide`."""
    try:
        fits = np.broadcast_shapes(narrow, wide) == wide
    except ValueError:
        fits = False
    require(fits, f"{list(narrow)} is not broadcast to {list(wide)}")
