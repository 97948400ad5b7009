"""Elementwise operators of two operands: broadcasting, type rule, memory accesses and the arguments of their kernels."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

import numpy as np

from lichen.ir.accesses import Accesses
from lichen.ir.kernel import KernelCall, Result
from lichen.ir.module import Array, Constant, Operation
from lichen.ir.operator import Operator, require
from lichen.ir.types import DType
from lichen.ops.fixed_point import ACTIVATIONS, activation_range, clamp_float
from lichen.ops.params import anywhere, in_flash, int16_params, int32_params
from lichen.ops.walk import Walk, broadcast_strides


class Binary(Operator):
    """a, b -> a ∘ b with NumPy's broadcasting and a fused activation; all int8 with one scale each, or all float32."""

    operands = (2, 2)
    attributes = {"activation": str}

    def check(self, operation: Operation) -> None:
        a, b, result = operation.operands[0].type, operation.operands[1].type, operation.results[0].type
        require(
            a.dtype is b.dtype is result.dtype and a.dtype in (DType.INT8, DType.FLOAT32),
            f"{a.dtype.value} and {b.dtype.value} to {result.dtype.value}: all must be i8 or all f32",
        )
        try:
            shape = np.broadcast_shapes(a.shape, b.shape)
        except ValueError:
            shape = None
        require(shape is not None, f"shapes {list(a.shape)} and {list(b.shape)} cannot be broadcast together")
        require(shape == result.shape, f"the result must be {list(shape or ())}, not {list(result.shape)}")
        activation = operation.str_attribute("activation")
        require(activation in ACTIVATIONS, f"no such activation: {activation}")
        if result.dtype is DType.INT8:
            activation_range(activation, result)
            self.check_int8(operation)

    @abstractmethod
    def check_int8(self, operation: Operation) -> None:
        """Raises `VerifyError` for scales that the fixed-point arithmetic cannot hold."""

    def accesses(self, operation: Operation) -> Accesses:
        size = operation.results[0].type.dtype.size
        variable = [i for i in (0, 1) if not isinstance(operation.operands[i], Constant)]
        return _walk(operation, (0, 1)).elementwise({i: size for i in variable}, size)

    def call(
        self,
        operation: Operation,
        kernel: str,
        names: tuple[str, str],
        params: dict[str, int | float],
        order: tuple[int, int] = (0, 1),
        tells_flash: bool = True,
    ) -> KernelCall:
        """The call of a kernel that walks its operands: `names` are what it calls them, `order` which operand is which. Kernels for Cortex-M
        alone, where flash is read as RAM is, are not told which operands are in flash.
        """
        walk = _walk(operation, order)
        shape = int32_params(operation, rows=walk.rows, inner=walk.inner)
        shape |= int16_params(operation, dimensions=len(walk.extents))
        shape |= {f"{name}_step": step for name, step in zip(names, walk.inner_steps, strict=True)}
        if tells_flash:
            shape |= {f"{name}_in_flash": in_flash(operation, i) for name, i in zip(names, order, strict=True)}
        operands = (anywhere(operation, i, name) for i, name in zip(order, names, strict=True))
        return KernelCall(kernel, shape | params, (*operands, Result(0), walk.geometry))


def float_limits(operation: Operation) -> dict[str, int | float]:
    """The fused activation as members of a float32 kernel's struct."""
    low, high = ACTIVATIONS[operation.str_attribute("activation")]
    return {"low": low, "high": high}


def evaluate_float(
    operation: Operation, function: Callable[[Array, Array], Array], operands: tuple[Array, ...]
) -> tuple[Array]:
    """`function` of the operands in float32, after the fused activation. Overflow gives infinity, as on the chip."""
    with np.errstate(over="ignore", invalid="ignore"):
        return (clamp_float(function(*operands), operation.str_attribute("activation")),)


def widened(operation: Operation, operands: tuple[Array, ...]) -> tuple[Array, Array]:
    """Stored int8 operands minus their zero points, as int64."""
    a, b = (x.astype(np.int64) - value.type.zero_point for x, value in zip(operands, operation.operands, strict=True))
    return a, b


def _walk(operation: Operation, order: tuple[int, int]) -> Walk:
    shape = operation.results[0].type.shape
    return Walk.over(shape, [broadcast_strides(operation.operands[i].type.shape, shape) for i in order])
