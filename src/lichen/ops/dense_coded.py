"""How a fully connected int8 layer is lowered whose weights are coded and decoded as they are multiplied."""

from __future__ import annotations

from lichen.ir.kernel import Coded, KernelCall, Operand, Result, Table
from lichen.ir.module import Operation
from lichen.ops.dense import batch_of, dense_ratios
from lichen.ops.params import int16_params
from lichen.ops.weights import clamp_params, constant_operand, folded_bias, multiplier_tables


def dense_coded(operation: Operation, coded: Coded) -> KernelCall:
    """The call for `coded` weights (outputs, inputs), on any core; takes no scratch."""
    weights, result = constant_operand(operation, 1), operation.results[0].type
    mantissas, shifts = multiplier_tables(dense_ratios(operation))
    outputs, inputs = weights.shape
    params = int16_params(operation, batch=batch_of(operation), in_c=inputs, out_c=outputs, out_zero=result.zero_point)
    tables = Table("bias", folded_bias(operation, weights)), Table("multiplier", mantissas), Table("shift", shifts)
    return KernelCall("dense_s8_coded", params | clamp_params(operation), (Operand(0), Result(0), coded, *tables))
