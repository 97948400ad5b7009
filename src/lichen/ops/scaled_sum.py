"""The int8 arithmetic that ADD and SUB share: both operands are brought to twice the larger scale, 20 bits up, then added."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lichen.ir.module import Array, Operation
from lichen.ir.operator import require
from lichen.ir.types import DType
from lichen.ops.fixed_point import (
    INT32_MAX,
    Int64Array,
    Multiplier,
    activation_range,
    multiply,
    quantize_multiplier,
    to_int8,
)
from lichen.ops.lookup import stored_values

_LEFT_SHIFT = 20
_HALF = Multiplier(1 << 30, 0)
_MOST_ROUND = 1 << 30  # what may be added to the sum before its shift without overflow


@dataclass(frozen=True)
class ScaledSum:
    """`a + sign * b`, each operand multiplied by its own multiplier and the sum by that of the output."""

    inputs: tuple[Multiplier, Multiplier]
    output: Multiplier
    sign: int

    @staticmethod
    def of(operation: Operation, sign: int) -> ScaledSum:
        """From the types of the operation; `sign` is 1 or -1. Raises `VerifyError` for scales that are too far apart."""
        a, b = operation.operands[0].type.scale, operation.operands[1].type.scale
        result = operation.results[0].type.scale
        twice_larger = 2.0 * max(a, b)
        output = quantize_multiplier(twice_larger / (2.0**_LEFT_SHIFT * result))
        if output.mantissa == 0:
            output = Multiplier(0, -1)
        require(
            output.shift < 0,
            f"the result's scale {result:g} is too fine for operands of scales {a:g} and {b:g}",
        )
        inputs = quantize_multiplier(a / twice_larger), quantize_multiplier(b / twice_larger)
        return ScaledSum(inputs, output, sign)

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        """The stored result, twin of `lichen_add_s8`."""
        stored = stored_values(DType.INT8)
        a, b = (
            multiply(stored - value.type.zero_point << _LEFT_SHIFT, m.mantissa, m.shift)[x.view(np.uint8)]
            for x, value, m in zip(operands, operation.operands, self.inputs, strict=True)
        )
        result = operation.results[0].type
        low, high = activation_range(operation.str_attribute("activation"), result)
        total: Int64Array = multiply(a + self.sign * b, self.output.mantissa, self.output.shift)
        return (to_int8(total + result.zero_point, low, high),)

    @property
    def order(self) -> tuple[int, int]:
        """Which operand is the wide one (of the larger scale), which the narrow one."""
        return (0, 1) if self.inputs[0] == _HALF else (1, 0)

    def params(self, operation: Operation) -> dict[str, int | float]:
        """The arithmetic members of `lichen_add_s8_params`, in their order."""
        wide, narrow = self.order
        signs = (1, self.sign)
        zeros = [value.type.zero_point for value in operation.operands]
        multiplier, result = self.inputs[narrow], operation.results[0].type
        if multiplier == _HALF:
            # The kernel shifts by at least one, so a half is the largest mantissa shifted by one: for 9-bit values, 20 bits up,
            # that is the same to the last bit.
            multiplier = Multiplier(INT32_MAX, -1)
        shift = -self.output.shift
        half, zero = 1 << (shift - 1), result.zero_point
        folds = half + (abs(zero) << shift) <= _MOST_ROUND
        low, high = activation_range(operation.str_attribute("activation"), result)
        return {
            "low": low,
            "high": high,
            "wide_sign": signs[wide],
            "narrow_sign": signs[narrow],
            "narrow_shift": max(-multiplier.shift, 1),
            "out_shift": shift,
            "out_zero": 0 if folds else zero,
            "wide_offset": -zeros[wide] << _LEFT_SHIFT,
            "narrow_offset": -zeros[narrow] << (_LEFT_SHIFT + 1),
            "narrow_mantissa": multiplier.mantissa,
            "out_mantissa": self.output.mantissa,
            "out_round": half + (zero << shift) if folds else half,
        }
