"""Elementwise product."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lichen.ir.gradient import Backward
from lichen.ir.kernel import Core, KernelCall
from lichen.ir.module import Array, Operation, Value
from lichen.ir.operator import register, require
from lichen.ops.activation import through_activation
from lichen.ops.binary import Binary, evaluate_float, float_limits, widened
from lichen.ops.broadcast_gradient import summed
from lichen.ops.fixed_point import Multiplier, activation_range, multiply, quantize_multiplier, to_int8
from lichen.ops.requantise_dsp import doubled, subtracted_shift

_MOST_SHIFT = 13  # twice a product of two 9-bit numbers, shifted so far, still fits 32 bits


@register
class Mul(Binary):
    """a * b. int8: same bytes as TensorFlow Lite Micro. float32: exact."""

    kind = "mul"

    def check_int8(self, operation: Operation) -> None:
        scales = ", ".join(f"{v.type.scale:g}" for v in (*operation.operands, *operation.results))
        require(
            _multiplier(operation).shift <= _MOST_SHIFT, f"the result's scale is too fine: operands, result {scales}"
        )

    def evaluate(self, operation: Operation, *operands: Array) -> tuple[Array, ...]:
        if operation.results[0].type.dtype.is_float:
            return evaluate_float(operation, np.multiply, operands)
        a, b = widened(operation, operands)
        result, multiplier = operation.results[0].type, _multiplier(operation)
        low, high = activation_range(operation.str_attribute("activation"), result)
        scaled = multiply(a * b, multiplier.mantissa, multiplier.shift)
        return (to_int8(scaled + result.zero_point, low, high),)

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        if operation.results[0].type.dtype.is_float:
            return self.call(operation, "mul_f32", ("a", "b"), float_limits(operation))
        a, b, result = operation.operands[0].type, operation.operands[1].type, operation.results[0].type
        multiplier = _multiplier(operation)
        low, high = activation_range(operation.str_attribute("activation"), result)
        params: dict[str, int | float] = {
            "a_zero": a.zero_point,
            "b_zero": b.zero_point,
            "out_zero": result.zero_point,
            "low": low,
            "high": high,
        }
        if core.has("mve") and multiplier.shift < 0:
            vectors = params | {"mantissa": multiplier.mantissa, "shift": multiplier.shift}
            call = self.call(operation, "mul_s8_mve", ("a", "b"), vectors, tells_flash=False)
            if call.params["a_step"] == call.params["b_step"] == 1:
                return call
        if core.has("dsp") and multiplier.shift < 0 and multiplier.mantissa:
            params |= {"doubled": doubled(multiplier.mantissa), "shift": subtracted_shift(multiplier.shift)}
            return self.call(operation, "mul_s8_dsp", ("a", "b"), params, tells_flash=False)
        params |= {
            "shift": max(-multiplier.shift, 0),
            "factor": 2 << max(multiplier.shift, 0),
            "mantissa": multiplier.mantissa,
        }
        return self.call(operation, "mul_s8", ("a", "b"), params)

    def gradient(
        self, operation: Operation, gradients: Sequence[Value | None], backward: Backward
    ) -> Mapping[int, Value]:
        (gradient,) = gradients
        assert gradient is not None
        gradient = through_activation(operation, gradient, backward)
        found: dict[int, Value] = {}
        for index, (value, other) in enumerate(zip(operation.operands, operation.operands[::-1], strict=True)):
            if backward.wants(value):
                product = backward.emit("mul", [gradient, other], gradient.type, activation="none")
                found[index] = summed(product, value, backward)
        return found


def _multiplier(operation: Operation) -> Multiplier:
    a, b, result = operation.operands[0].type, operation.operands[1].type, operation.results[0].type
    return quantize_multiplier(a.scale * b.scale / result.scale)
