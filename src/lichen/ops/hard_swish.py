"""Hard swish, the cheap stand-in for x * sigmoid(x) of MobileNetV3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lichen.ir.gradient import Backward
from lichen.ir.kernel import KernelCall
from lichen.ir.module import Array, Operation, Value
from lichen.ir.operator import register, require
from lichen.ops.element_gradient import element_gradient
from lichen.ops.fixed_point import INT8_MAX, INT8_MIN, Int64Array, quantize_multiplier, rounding_divide_by_pot
from lichen.ops.lookup import ElementMap, unary_call

_INT16_MIN, _INT16_MAX = -(1 << 15), (1 << 15) - 1
_MOST_SHIFT = 15  # of an int16


@register
class HardSwish(ElementMap):
    """x -> x * min(max(x + 3, 0), 6) / 6.

    int8: same bytes as TensorFlow Lite Micro's 16-bit arithmetic. float32: within 1e-6 relative.
    """

    kind = "hard_swish"

    def map_int8(self, operation: Operation, stored: Int64Array) -> Int64Array:
        x, result = operation.operands[0].type, operation.results[0].type
        # The reference computes both ratios in float32.
        fine_scale = np.float32(1.0 / 128.0) * np.float32(x.scale)
        output_mantissa, output_shift = _multiplier16(fine_scale / np.float32(result.scale))
        relu_mantissa, relu_shift = _multiplier16(fine_scale / np.float32(3.0 / 32768.0))
        require(
            -_MOST_SHIFT <= output_shift <= 0,
            f"the result's scale {result.scale:g} does not suit an input of scale {x.scale:g}",
        )
        require(relu_shift >= -_MOST_SHIFT, f"the input's scale {x.scale:g} is too small")
        fine = (stored - x.zero_point) << 7
        on_output_scale = _rounding_high_mul16(fine, output_mantissa)
        # Where x lies in [-3, 3], as a number in [-1, 1]; the last bit of a shift to the left comes after the multiplication.
        place = _saturate16(fine << (relu_shift - 1)) if relu_shift > 0 else fine
        place = _rounding_high_mul16(place, relu_mantissa)
        place = _saturate16(place << 1) if relu_shift > 0 else rounding_divide_by_pot(place, -relu_shift)
        gate = (place + (1 << 15)) >> 1
        product = gate * on_output_scale
        halved = np.sign(product) * (np.abs(product) >> 15)  # towards zero
        raw = rounding_divide_by_pot(halved, -output_shift) + result.zero_point
        wrapped = (raw - _INT16_MIN) % (1 << 16) + _INT16_MIN
        return np.clip(wrapped, INT8_MIN, INT8_MAX)

    def map_float(self, operation: Operation, x: Array) -> Array:
        return x * np.clip(x + np.float32(3), np.float32(0), np.float32(6)) / np.float32(6)

    def lower_float(self, operation: Operation) -> KernelCall:
        return unary_call(operation, "hard_swish_f32")

    def gradient(
        self, operation: Operation, gradients: Sequence[Value | None], backward: Backward
    ) -> Mapping[int, Value]:
        return element_gradient(operation, gradients[0], backward, "hard_swish_grad", operation.operands[0])


def _multiplier16(real: np.float32) -> tuple[int, int]:
    """The nearest multiplier with a 15-bit mantissa, and its shift."""
    multiplier = quantize_multiplier(float(real))
    return min((multiplier.mantissa + (1 << 15)) >> 16, _INT16_MAX), multiplier.shift


def _rounding_high_mul16(a: Int64Array, b: int) -> Int64Array:
    """`round(a * b / 2^15)` of int16 values, halves upwards."""
    return (a * b + (1 << 14)) >> 15


def _saturate16(x: Int64Array) -> Int64Array:
    result: Int64Array = np.clip(x, _INT16_MIN, _INT16_MAX)
    return result
