"""The int8 arithmetic that ADD and SUB share: both operands are brought to twice the larger scale, 20 bits up, then added."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from lichen.ir.kernel import Core, KernelCall
from lichen.ir.module import Array, Operation
from lichen.ir.operator import require
from lichen.ir.types import DType
from lichen.ops.binary import Binary
from lichen.ops.fixed_point import (
    INT8_MAX,
    INT8_MIN,
    INT32_MAX,
    Int64Array,
    Multiplier,
    activation_range,
    multiply,
    quantize_multiplier,
    to_int8,
)
from lichen.ops.linear_sum import LinearSum, linear_sum
from lichen.ops.lookup import stored_values
from lichen.ops.requantise_dsp import doubled, subtracted_shift

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
            self.scaled(i, stored - value.type.zero_point)[x.view(np.uint8)]
            for i, (x, value) in enumerate(zip(operands, operation.operands, strict=True))
        )
        result = operation.results[0].type
        low, high = activation_range(operation.str_attribute("activation"), result)
        return (to_int8(self.total(a, b) + result.zero_point, low, high),)

    def scaled(self, operand: int, x: Int64Array) -> Int64Array:
        """Stored values of an operand less its zero point, at twice the larger scale, 20 bits up."""
        return multiply(x << _LEFT_SHIFT, self.inputs[operand].mantissa, self.inputs[operand].shift)

    def total(self, a: Int64Array, b: Int64Array) -> Int64Array:
        """The result less its zero point, from scaled operands."""
        return multiply(a + self.sign * b, self.output.mantissa, self.output.shift)

    @property
    def ratios(self) -> tuple[float, float]:
        """By how much the result grows when a stored operand grows by one."""
        output = self.output.mantissa * 2.0 ** (self.output.shift - 31 + _LEFT_SHIFT)
        a, b = (m.mantissa * 2.0 ** (m.shift - 31) * output for m in self.inputs)
        return a, self.sign * b

    def lower(self, operator: Binary, operation: Operation, core: Core) -> KernelCall:
        """The call of the kernel for `core`."""
        if core.has("dsp"):
            linear = self._linear(operation)
            if linear is not None:
                kernel = "add_linear_s8_mve" if core.has("mve") else "add_linear_s8_dsp"
                return operator.call(operation, kernel, ("a", "b"), linear, tells_flash=False)
            names = "wide", "narrow"
            call = operator.call(operation, "add_s8_dsp", names, self._params_dsp(operation), self.order, False)
            by_neighbours = call.params["wide_step"] == call.params["narrow_step"] == 1
            if self.sign > 0 and self.output.mantissa and by_neighbours:
                return call
        return operator.call(operation, "add_s8", ("wide", "narrow"), self.params(operation), self.order)

    def _linear(self, operation: Operation) -> dict[str, int | float] | None:
        """The arithmetic members of `lichen_add_linear_s8_dsp_params` and `…_mve_params`; `None` where no linear function serves."""
        zeros = tuple(v.type.zero_point for v in (*operation.operands, *operation.results))
        low, high = activation_range(operation.str_attribute("activation"), operation.results[0].type)
        found = _linear_sum(self, zeros, low, high)
        if found is None:
            return None
        a_factor, b_factor = found.factors
        return {"low": low, "high": high, "a_factor": a_factor, "b_factor": b_factor, "offset": found.offset}

    def _params_dsp(self, operation: Operation) -> dict[str, int | float]:
        """The arithmetic members of `lichen_add_s8_dsp_params`, in their order."""
        params = self.params(operation)
        return {
            "low": params["low"],
            "high": params["high"],
            "out_zero": operation.results[0].type.zero_point,
            "wide_offset": int(params["wide_offset"]) // 2,
            "narrow_offset": params["narrow_offset"],
            "narrow_mantissa": params["narrow_mantissa"],
            "narrow_shift": subtracted_shift(-int(params["narrow_shift"])),
            "out_doubled": doubled(self.output.mantissa),
            "out_shift": subtracted_shift(self.output.shift),
        }

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


@lru_cache(maxsize=512)  # the search for a schedule asks for the same again
def _linear_sum(scaled: ScaledSum, zeros: tuple[int, ...], low: int, high: int) -> LinearSum | None:
    """The linear function of stored operands with the same bytes; `zeros` are those of operands and result."""
    stored = np.arange(INT8_MIN, INT8_MAX + 1, dtype=np.int64)
    a, b = (scaled.scaled(i, stored - zeros[i]) for i in (0, 1))
    expected = np.clip(scaled.total(a[:, None], b) + zeros[2], low, high)
    ratio_a, ratio_b = scaled.ratios
    return linear_sum(expected, (ratio_a, ratio_b), zeros[2] - ratio_a * zeros[0] - ratio_b * zeros[1], low, high)
