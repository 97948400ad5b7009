"""Softmax over the last axis."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from lichen.ir.accesses import Accesses, Intervals
from lichen.ir.gradient import Backward
from lichen.ir.kernel import Core, KernelCall, Result, Table
from lichen.ir.module import Array, Operation, Value
from lichen.ir.operator import Operator, register, require
from lichen.ir.types import DType
from lichen.ops.fixed_point import (
    INT8_MIN,
    INT32_MAX,
    Int64Array,
    quantize_multiplier,
    rounding_divide_by_pot,
    saturating_rounding_doubling_high_mul,
    to_int8,
)
from lichen.ops.gemmlowp import exp_on_negative_values, input_radius, one_over_one_plus
from lichen.ops.lookup import check_same_shape
from lichen.ops.params import in_arena, int16_params, int32_params

_DIFFERENCE_INTEGER_BITS = 5
_SUM_INTEGER_BITS = 12
_MOST_TERMS = (1 << _SUM_INTEGER_BITS) - 1  # more could overflow the sum


@register
class Softmax(Operator):
    """x (…, n) -> `exp(beta * (x - max)) / sum` along the last axis, the same shape.

    int8: same bytes as TensorFlow Lite Micro, which stops where the exponentials add up to 512 or more; here the result is then
    zero everywhere. The result has scale 1/256 and zero point -128. float32: within 2e-6 absolute.
    """

    kind = "softmax"
    operands = (1, 1)
    attributes = {"beta": float}

    def check(self, operation: Operation) -> None:
        check_same_shape(operation)
        x, result = operation.operands[0].type, operation.results[0].type
        require(x.rank >= 1, "softmax needs at least one axis")
        require(
            x.dtype is result.dtype and x.dtype in (DType.INT8, DType.FLOAT32),
            f"a {x.dtype.value} input and a {result.dtype.value} result do not go together: both i8 or both f32",
        )
        beta = operation.float_attribute("beta")
        require(0.0 < beta < math.inf, f"beta is {beta}, but must be a positive number")
        if x.dtype is DType.INT8:
            require(
                result.scale == 1.0 / 256.0 and result.zero_point == INT8_MIN,
                f"an int8 softmax has scale 1/256 and zero point -128, not {result.scale:g} and {result.zero_point}",
            )
            require(
                x.shape[-1] <= _MOST_TERMS, f"softmax over {x.shape[-1]} values; int8 can add at most {_MOST_TERMS}"
            )
            require(_real_multiplier(operation) > 1.0, f"the input scale {x.scale:g} is too small for an int8 softmax")

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        x = operands[0]
        if x.dtype == np.float32:
            beta = np.float32(operation.float_attribute("beta"))
            powers = np.exp((x - x.max(axis=-1, keepdims=True)) * beta)
            return ((powers / powers.sum(axis=-1, keepdims=True, dtype=np.float32)).astype(np.float32),)
        exponentials = np.concatenate([_exponentials(operation), np.zeros(256, np.int64)])
        wide = x.astype(np.int64)
        powers = exponentials[wide.max(axis=-1, keepdims=True) - wide]
        sums = rounding_divide_by_pot(powers, _SUM_INTEGER_BITS).sum(axis=-1, keepdims=True)
        leading_zeros = 32 - np.frexp(sums.astype(np.float64))[1].astype(np.int64)
        reciprocal = one_over_one_plus((sums << leading_zeros) - (1 << 31))
        exponent = _SUM_INTEGER_BITS - leading_zeros + 31 - 8
        scaled = rounding_divide_by_pot(saturating_rounding_doubling_high_mul(reciprocal, powers), exponent)
        return (to_int8(scaled + INT8_MIN),)

    def accesses(self, operation: Operation) -> Accesses:
        """For each row: an access that reads it all (maximum and sum), then one access an element."""
        x = operation.operands[0].type
        depth, size = x.shape[-1], x.dtype.size
        rows = x.elements // depth
        element = np.arange(x.elements, dtype=np.int64).reshape(rows, depth) * size
        reads = np.zeros((rows, depth + 1, 2), np.int64)
        writes = np.zeros_like(reads)
        reads[:, 0, 0], reads[:, 0, 1] = element[:, 0], element[:, -1] + size
        reads[:, 1:, 0], reads[:, 1:, 1] = element, element + size
        writes[:, 1:] = reads[:, 1:]

        def flat(intervals: Intervals) -> Intervals:
            return intervals.reshape(-1, 2)

        return Accesses({0: flat(reads)}, {0: flat(writes)}, atomic=True)

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        x = operation.operands[0].type
        depth = x.shape[-1]
        params = int32_params(operation, rows=x.elements // depth, depth=depth)
        if x.dtype.is_float:
            beta = float(np.float32(operation.float_attribute("beta")))
            return KernelCall("softmax_f32", {**params, "beta": beta}, (in_arena(operation, 0), Result(0)))
        exponentials = _exponentials(operation)
        return KernelCall(
            "softmax_s8",
            {**params, **int16_params(operation, entries=len(exponentials))},
            (in_arena(operation, 0), Result(0), Table("exponentials", exponentials.astype(np.int32))),
        )

    def gradient(
        self, operation: Operation, gradients: Sequence[Value | None], backward: Backward
    ) -> Mapping[int, Value]:
        (gradient,), (y,) = gradients, operation.results
        assert gradient is not None
        beta = operation.float_attribute("beta")
        return {0: backward.emit("softmax_grad", [y, gradient], y.type, beta=beta)}


def _real_multiplier(operation: Operation) -> float:
    """From a difference of stored inputs to its exponent in Q5."""
    beta = float(np.float32(operation.float_attribute("beta")))
    real = beta * operation.operands[0].type.scale * 2.0 ** (31 - _DIFFERENCE_INTEGER_BITS)
    return min(real, 2.0**31 - 1.0)


def _exponentials(operation: Operation) -> Int64Array:
    """`exp(-k * scale * beta)` in Q0 for k = 0, 1, … as long as it can change a byte of the result."""
    real = _real_multiplier(operation)
    if real >= 2.0**30:  # one step is already more than Q5 holds
        return np.array([INT32_MAX], np.int64)
    multiplier = quantize_multiplier(real)
    differences = np.arange(min(255, input_radius(_DIFFERENCE_INTEGER_BITS, multiplier.shift)) + 1, dtype=np.int64)
    rescaled = saturating_rounding_doubling_high_mul(-differences << multiplier.shift, multiplier.mantissa)
    powers = exp_on_negative_values(rescaled, _DIFFERENCE_INTEGER_BITS)
    # Below half a unit of the sum a power neither adds to it nor reaches half a step of the result.
    return powers[: int(np.count_nonzero(rounding_divide_by_pot(powers, _SUM_INTEGER_BITS)))]
