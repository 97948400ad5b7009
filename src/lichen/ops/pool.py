"""What average and maximum pooling share."""

from __future__ import annotations

import math
from typing import ClassVar

from lichen.ir.accesses import Accesses
from lichen.ir.kernel import Core, KernelCall, Operand, Result
from lichen.ir.module import Constant, Operation
from lichen.ir.operator import Operator, require
from lichen.ir.types import DType
from lichen.ops.attributes import check_same_quantisation
from lichen.ops.fixed_point import ACTIVATIONS, activation_range
from lichen.ops.params import row_lengths
from lichen.ops.weights import clamp_params
from lichen.ops.window import Window

_LEAST_CHANNELS = {"avg_pool2d": {"mve": 3, "dsp": 4}, "max_pool2d": {"mve": 3, "dsp": 16}}
"""From which on the kernels for these features are faster; the better ones first."""

_MOST_TAPS = 255  # whose int8 values the averages among them add up in int16


class Pool(Operator):
    """x (1, H, W, C) -> (1, H', W', C), each channel by itself."""

    operands = (1, 1)
    attributes: ClassVar[dict[str, type]] = {"kernel": tuple, "stride": tuple, "padding": tuple, "activation": str}

    def check(self, operation: Operation) -> None:
        source, result = operation.operands[0].type, operation.results[0].type
        window = Window.over(operation)
        require(not isinstance(operation.operands[0], Constant), "the input must not be constant")
        expected = (1, window.out_h, window.out_w, source.shape[3])
        require(result.shape == expected, f"the result must be {list(expected)}, not {list(result.shape)}")
        require(source.dtype in (DType.INT8, DType.FLOAT32), f"no pooling of {source.dtype.value}: only i8 and f32")
        check_same_quantisation(source, result)
        activation = operation.str_attribute("activation")
        require(activation in ACTIVATIONS, f"activation '{activation}' is not one of {', '.join(ACTIVATIONS)}")
        if not result.dtype.is_float:
            activation_range(activation, result)

    def accesses(self, operation: Operation) -> Accesses:
        return Window.over(operation).accesses(operation.operands[0].type, operation.results[0].type)

    def lower(self, operation: Operation, core: Core) -> KernelCall:
        window = Window.over(operation)
        params = row_lengths(operation) | window.params(operation)
        for name in ("out_c", "dilation_h", "dilation_w"):
            del params[name]
        return KernelCall(
            self._kernel(operation, core),
            params | clamp_params(operation),
            (Operand(0, rows=window.in_h), Result(0, rows=window.out_h)),
            rows=window.out_h,
        )

    def _kernel(self, operation: Operation, core: Core) -> str:
        if operation.results[0].type.dtype.is_float:
            return f"{self.kind}_f32"
        channels, taps = operation.operands[0].type.shape[3], math.prod(Window.over(operation).kernel)
        if self.kind == "max_pool2d" or taps <= _MOST_TAPS:
            for feature, least in _LEAST_CHANNELS[self.kind].items():
                if core.has(feature) and channels >= least:
                    return f"{self.kind}_s8_{feature}"
        return f"{self.kind}_s8"
