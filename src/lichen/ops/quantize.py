"""Quantisation: real numbers, or integers under another scale, become stored values of the result."""

from __future__ import annotations

import numpy as np

from lichen.ir.accesses import Accesses, elementwise
from lichen.ir.kernel import Core, KernelCall, Result
from lichen.ir.module import Array, Operation
from lichen.ir.operator import Operator, register, require
from lichen.ir.types import DType
from lichen.ops.fixed_point import Int64Array, multiply
from lichen.ops.lookup import check_quantised, check_same_shape, lower_table, scale_ratio, stored_values, unary_call
from lichen.ops.params import in_arena, int16_params, int32_params
from lichen.ops.requantise_dsp import doubled, subtracted_shift

_PAIRS = {
    (DType.FLOAT32, DType.INT8),
    (DType.INT8, DType.INT8),
    (DType.UINT8, DType.INT8),
    (DType.INT8, DType.UINT8),
    (DType.INT16, DType.INT8),
}


@register
class Quantize(Operator):
    """x (float32, int8, uint8 or int16) -> int8, or int8 -> uint8, of the same shape: same bytes as TensorFlow Lite Micro.

    float32 rounds halves away from zero and saturates; not-a-number becomes the smallest value.
    """

    kind = "quantize"
    operands = (1, 1)

    def check(self, operation: Operation) -> None:
        check_same_shape(operation)
        x, result = operation.operands[0].type, operation.results[0].type
        require(
            (x.dtype, result.dtype) in _PAIRS, f"no quantisation from {x.dtype.value} to {result.dtype.value} is known"
        )
        check_quantised(result)
        if not x.dtype.is_float:
            check_quantised(x)
            scale_ratio(operation)

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        x, result = operands[0], operation.results[0].type
        low, high = result.dtype.range
        if x.dtype != np.float32:
            return (np.clip(_requantised(operation, x.astype(np.int64)), low, high).astype(result.dtype.numpy),)
        with np.errstate(over="ignore", invalid="ignore"):
            quotient = (x / np.float32(result.scale)).astype(np.float64)
        rounded = np.copysign(np.floor(np.abs(quotient) + 0.5), quotient)
        limited = np.where(np.isnan(rounded), -np.inf, rounded) + result.zero_point
        return (np.clip(limited, low, high).astype(np.int8),)

    def accesses(self, operation: Operation) -> Accesses:
        x, result = operation.operands[0].type, operation.results[0].type
        return elementwise(result.elements, {0: x.dtype.size}, result.dtype.size)

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        x, result = operation.operands[0].type, operation.results[0].type
        if x.dtype.is_float:
            scale = float(np.float32(result.scale))
            return unary_call(operation, "quantize_f32", scale=scale, zero=result.zero_point)
        if x.dtype is not DType.INT16:
            low, high = result.dtype.range
            return lower_table(operation, np.clip(_requantised(operation, stored_values(x.dtype)), low, high), core)
        ratio = scale_ratio(operation)
        params = int32_params(operation, count=result.elements, in_zero=x.zero_point)
        if core.has("dsp") and ratio.shift < 0 and ratio.mantissa:
            params |= {"doubled": doubled(ratio.mantissa), "shift": subtracted_shift(ratio.shift)}
            params |= int16_params(operation, out_zero=result.zero_point)
            return KernelCall("quantize_s16_dsp", params, (in_arena(operation, 0), Result(0)))
        params |= int32_params(operation, mantissa=ratio.mantissa)
        params |= int16_params(operation, shift=ratio.shift, out_zero=result.zero_point)
        return KernelCall("quantize_s16", params, (in_arena(operation, 0), Result(0)))


def _requantised(operation: Operation, stored: Int64Array) -> Int64Array:
    ratio = scale_ratio(operation)
    value = multiply(stored - operation.operands[0].type.zero_point, ratio.mantissa, ratio.shift)
    return value + operation.results[0].type.zero_point
